#include "monitor_reduce.hpp"

#include "host_reduction.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace lavoisier::detail {
namespace {

constexpr int status_count = static_cast<int>(Status::internal) + 1;
constexpr int digit_bits = 8, digits = 64 / digit_bits;
constexpr std::size_t digit_values = std::size_t{1} << digit_bits;

std::size_t place_of(Status status) noexcept {
  const int number = static_cast<int>(status);
  return static_cast<std::size_t>(number >= 0 && number < status_count ? number : status_count - 1);
}

/// Of a number >= 0: larger numbers have larger bits.
std::uint64_t bits_of(double x) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
double number_of(std::uint64_t bits) noexcept {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

class Ranks {
 public:
  Ranks(Reduce reduce, void* context) : reduce_(reduce), context_(context) {}
  void sum(std::vector<std::int64_t>& words) const {
    reduce_over_ranks(reduce_, context_, words.data(), words.size(), "Monitor::end_step");
  }

 private:
  Reduce reduce_;
  void* context_;
};

/// A key of this rank and, when its digits have been voted on, the largest of all ranks.
struct Key {
  std::uint64_t own = 0, largest = 0;
  bool candidate = false;     ///< own has the digits that are known of the largest
  bool found = false;         ///< a rank had one
  std::int64_t holders = 0;   ///< ranks that have the largest
};

void find_largest(std::vector<Key>& keys, const Ranks& ranks) {
  std::vector<std::int64_t> votes;
  for (int d = digits; d-- > 0;) {
    votes.assign(keys.size() * digit_values, 0);
    const auto digit = [&](const Key& key) {
      return static_cast<std::size_t>(key.own >> (d * digit_bits)) % digit_values;
    };
    for (std::size_t k = 0; k < keys.size(); ++k)
      if (keys[k].candidate) votes[k * digit_values + digit(keys[k])] = 1;
    ranks.sum(votes);
    for (std::size_t k = 0; k < keys.size(); ++k) {
      Key& key = keys[k];
      key.found = false;
      for (std::size_t v = digit_values; v-- > 0 && !key.found;) {
        key.holders = votes[k * digit_values + v];
        if (key.holders == 0) continue;
        key.found = true;
        key.largest |= static_cast<std::uint64_t>(v) << (d * digit_bits);
        key.candidate = key.candidate && digit(key) == v;
      }
    }
  }
}

std::vector<LawTally*> laws_of(StepTally& tally) {
  std::vector<LawTally*> laws;
  for (auto* list : {&tally.emulated, &tally.original})
    for (auto& law : *list) laws.push_back(&law);
  return laws;
}
std::vector<std::int64_t*> counts_of(StepTally& tally) {
  std::vector<std::int64_t*> counts{&tally.columns, &tally.out_of_range, &tally.left_out};
  for (auto* law : laws_of(tally)) counts.insert(counts.end(), {&law->columns, &law->non_finite});
  for (auto& variable : tally.skill) counts.insert(counts.end(), {&variable.columns, &variable.non_finite});
  return counts;
}
std::vector<ExactSum*> sums_of(StepTally& tally) {
  std::vector<ExactSum*> sums;
  for (auto* law : laws_of(tally)) sums.push_back(&law->squares);
  for (auto& v : tally.skill) {
    for (auto* elements : {&v.emulated, &v.original})
      for (auto& sum : *elements) sums.push_back(&sum);
    sums.insert(sums.end(), {&v.error, &v.absolute_error, &v.squared_error, &v.emulated_squares, &v.original_squares,
                             &v.products});
  }
  return sums;
}

void reduce_sums(StepTally& tally, Status mine, const Ranks& ranks) {
  const auto counts = counts_of(tally);
  const auto sums = sums_of(tally);
  const auto laws = laws_of(tally);
  std::vector<std::int64_t> words(status_count + laws.size() + counts.size() + sums.size() * ExactSum::word_count, 0);
  words[place_of(mine)] = 1;
  std::int64_t* next = words.data() + status_count;
  for (const auto* law : laws) *next++ = law->floats;
  for (const auto* count : counts) *next++ = *count;
  for (const auto* sum : sums) {
    sum->pack(next);
    next += ExactSum::word_count;
  }
  ranks.sum(words);
  for (int s = 1; s < status_count; ++s)
    if (words[static_cast<std::size_t>(s)] > 0)
      throw Error(static_cast<Status>(s), "Monitor::end_step: " + std::to_string(words[static_cast<std::size_t>(s)]) +
                                              " of the ranks failed before (" + status_name(static_cast<Status>(s)) +
                                              ")");
  next = words.data() + status_count;
  for (auto* law : laws) law->floats = *next++ > 0;
  for (auto* count : counts) *count = *next++;
  for (auto* sum : sums) {
    sum->unpack(next);
    next += ExactSum::word_count;
  }
}

/// The worst column's right-hand side and terms, from the one rank that has it.
void reduce_terms(const std::vector<LawTally*>& laws, const std::vector<bool>& holder, const Ranks& ranks) {
  std::vector<std::int64_t> words;
  const auto each = [&](LawTally& law, auto&& take) {
    take(law.right_hand_side);
    for (double& x : law.coefficient) take(x);
    for (double& x : law.value) take(x);
  };
  for (std::size_t l = 0; l < laws.size(); ++l) {
    words.push_back(holder[l] ? laws[l]->worst_column : 0);
    each(*laws[l], [&](double& x) { words.push_back(holder[l] ? static_cast<std::int64_t>(bits_of(x)) : 0); });
  }
  ranks.sum(words);
  const std::int64_t* next = words.data();
  for (auto* law : laws) {
    law->worst_column = *next++;
    each(*law, [&](double& x) { x = number_of(static_cast<std::uint64_t>(*next++)); });
  }
}

void reduce_worst(StepTally& tally, const Ranks& ranks) {
  const auto laws = laws_of(tally);
  std::vector<Key> values(2 * laws.size()), ids(laws.size());
  for (std::size_t l = 0; l < laws.size(); ++l) {
    const bool some = laws[l]->worst_column >= 0;
    values[2 * l].own = bits_of(laws[l]->max_absolute);
    values[2 * l + 1].own = bits_of(laws[l]->max_relative);
    values[2 * l].candidate = values[2 * l + 1].candidate = some;
  }
  find_largest(values, ranks);
  for (std::size_t l = 0; l < laws.size(); ++l) {
    ids[l].own = ~laws[l]->worst_id;  // of equal ones the smallest
    ids[l].candidate = values[2 * l + 1].candidate;
  }
  find_largest(ids, ranks);
  std::vector<bool> holder(laws.size());
  for (std::size_t l = 0; l < laws.size(); ++l) {
    holder[l] = ids[l].candidate;
    if (!ids[l].found) continue;
    if (ids[l].holders > 1)
      throw Error(Status::invalid_argument, "Monitor::end_step: column id " + std::to_string(~ids[l].largest) +
                                                " is given by " + std::to_string(ids[l].holders) +
                                                " ranks; expected ids that are global");
    laws[l]->max_absolute = number_of(values[2 * l].largest);
    laws[l]->max_relative = number_of(values[2 * l + 1].largest);
    laws[l]->worst_id = ~ids[l].largest;
  }
  reduce_terms(laws, holder, ranks);
  for (std::size_t l = 0; l < laws.size(); ++l)
    if (!ids[l].found) laws[l]->worst_column = -1;
}

}  // namespace

Status reduce_log_status(Status mine, Reduce reduce, void* context, std::string& message) {
  std::vector<std::int64_t> words(status_count, 0);
  words[place_of(mine)] = 1;
  Ranks(reduce, context).sum(words);
  for (int s = 1; s < status_count; ++s) {
    const std::int64_t ranks = words[static_cast<std::size_t>(s)];
    if (ranks == 0) continue;
    message = "Monitor::end_step: the log of " + std::to_string(ranks) + " of the ranks could not be written (" +
              status_name(static_cast<Status>(s)) + ")";
    return static_cast<Status>(s);
  }
  return Status::ok;
}

void reduce_step(StepTally& tally, Status mine, Reduce reduce, void* context) {
  const Ranks ranks(reduce, context);
  reduce_sums(tally, mine, ranks);
  reduce_worst(tally, ranks);
}

}  // namespace lavoisier::detail
