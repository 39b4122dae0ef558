#include "floating_point_environment.hpp"
#include "global_laws_state.hpp"
#include "host_reduction.hpp"
#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace lavoisier {
namespace {

constexpr int status_count = static_cast<int>(Status::internal) + 1;
constexpr std::size_t counters = status_count + 2;  // and columns, columns left out
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

double relative(double residual, double size, double right_hand_side) noexcept {
  const double magnitude = size + std::abs(right_hand_side);
  return residual == 0.0 ? 0.0 : std::abs(residual) / magnitude;
}

}  // namespace

namespace detail {

void require_global_laws(const Program& program) {
  const auto refuse = [](const std::string& what) {
    throw Error(Status::unsupported,
                "global laws need outputs that are one Gaussian draw under the local laws in its own "
                "covariance (strategies conditional and none); in this model " +
                    what);
  };
  const Operation* draw = nullptr;
  for (const auto& operation : program.operations)
    if (operation.kind == OperationKind::gaussian_draw) {
      if (draw != nullptr) refuse("there are several draws");
      draw = &operation;
    }
  if (draw == nullptr) refuse("there is no gaussian_draw");
  if (!program.has_mean) refuse("noise goes through a network");
  // Positive outputs are drawn first and stay: they enter the sums and are never moved.
  int drawn = draw->output[0], deviation = draw->input[1];
  for (const auto& operation : program.operations)
    if (operation.kind == OperationKind::positive_draw && operation.input[1] == drawn && operation.input[2] == deviation) {
      drawn = operation.output[0];
      deviation = operation.output[1];
    }
  const Operation& last = program.operations.back();
  if (last.output[0] != program.result || last.input[0] != drawn)
    refuse("an operation stands between the draw and the laws");
  if (last.kind == OperationKind::identity) return;
  if (last.kind != OperationKind::constrain) refuse("the last operation is " + std::string(to_string(last.kind)));
  if (last.fixed_metric || last.input[1] != deviation) refuse("the laws are met in another metric");
}

}  // namespace detail

GlobalLaws::Implementation::Implementation(std::shared_ptr<const Model> owner, const GlobalLawsOptions& asked)
    : model(std::move(owner)), options(asked) {
  const auto* found = dynamic_cast<const detail::ProgramModel*>(model.get());
  if (found == nullptr)
    throw Error(Status::invalid_argument, "global laws need a model made by Model::load or Model::parse");
  if (options.rows < 1 || options.rows > 64)
    throw Error(Status::invalid_argument, "rows: expected 1 to 64 global laws, found " + std::to_string(options.rows));
  if (options.members < 1 || options.members > 1 << 20)
    throw Error(Status::invalid_argument, "members: expected 1 to 2^20, found " + std::to_string(options.members));
  detail::require_global_laws(found->program());
  outputs = found->program().output_elements;
  k = static_cast<std::size_t>(options.rows);
  members = static_cast<std::size_t>(options.members);
  right_hand_side.resize(k);
  lambda.resize(members * k);
  matrix.resize(pairs());
  scale.resize(k);
  drawn.resize(members * drawn_sums());
  corrected.resize(members * corrected_sums());
  total.resize(std::max(drawn.size(), corrected.size()));
  words.resize(counters + total.size() * ExactSum::word_count);
  closures.resize(members * k);
}

std::size_t GlobalLaws::Implementation::member_of(std::uint64_t member) const {
  if (member < options.first_member || member - options.first_member >= members)
    throw Error(Status::out_of_range, "member " + std::to_string(member) + ": the global laws have " +
                                          std::to_string(members) + " from " + std::to_string(options.first_member));
  return static_cast<std::size_t>(member - options.first_member);
}

void GlobalLaws::Implementation::add(std::vector<ExactSum>& sums, std::size_t member, std::size_t quantities,
                                     const double* values, std::int64_t capacity, const detail::SlotStatus* status,
                                     std::int64_t count, bool count_columns) {
  const std::lock_guard<std::mutex> lock(mutex);
  ExactSum* sum = sums.data() + member * quantities;
  std::int64_t written = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    const auto found = static_cast<Status>(status[s]);
    if (found != Status::ok && found != Status::out_of_range) continue;
    ++written;
    for (std::size_t q = 0; q < quantities; ++q) sum[q].add(values[static_cast<std::int64_t>(q) * capacity + s]);
  }
  if (!count_columns) return;
  columns += written;
  left_out += count - written;
}

void GlobalLaws::Implementation::reduce_all(const std::vector<ExactSum>& sums, Status mine, Reduce reduce,
                                            void* context, const char* when) {
  std::fill(words.begin(), words.end(), 0);
  const int number =
      static_cast<int>(mine) >= 0 && static_cast<int>(mine) < status_count ? static_cast<int>(mine) : status_count - 1;
  words[static_cast<std::size_t>(number)] = 1;
  words[status_count] = columns;
  words[status_count + 1] = left_out;
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i].pack(words.data() + counters + i * ExactSum::word_count);
  if (reduce != nullptr)
    detail::reduce_over_ranks(reduce, context, words.data(), counters + sums.size() * ExactSum::word_count, when);
  for (int s = 1; s < status_count; ++s)
    if (words[static_cast<std::size_t>(s)] > 0)
      throw Error(static_cast<Status>(s), std::string(when) + ": " +
                                              std::to_string(words[static_cast<std::size_t>(s)]) +
                                              " of the ranks failed before (" + status_name(static_cast<Status>(s)) +
                                              "); nothing is corrected");
  all_columns = words[status_count];
  all_left_out = words[status_count + 1];
  for (std::size_t i = 0; i < sums.size(); ++i) total[i].unpack(words.data() + counters + i * ExactSum::word_count);
}

/// lambda = W_g^-1 (sum B y - D) by Cholesky on rows scaled to unit diagonal.
void GlobalLaws::Implementation::solve(std::size_t member) {
  const ExactSum* sum = total.data() + member * drawn_sums();
  double* x = lambda.data() + member * k;
  const auto fail = [&](Status status, std::size_t row, const std::string& what) {
    throw Error(status, "global law " + std::to_string(row) + " of member " +
                            std::to_string(options.first_member + member) + ": " + what + "; nothing is corrected");
  };
  for (std::size_t i = 0; i < k; ++i) {
    ExactSum residual = sum[i];
    residual.add(-right_hand_side[i]);
    x[i] = residual.value();
    GlobalClosure& closure = closures[member * k + i];
    closure.right_hand_side = right_hand_side[i];
    closure.before = sum[i].value();
    closure.relative_before = relative(x[i], sum[k + i].value(), right_hand_side[i]);
    closure.after = closure.relative_after = nothing;
    if (!std::isfinite(x[i]) || !std::isfinite(sum[k + i].value()))
      fail(Status::non_finite, i, "its sum is no finite number");
  }
  const auto entry = [&](std::size_t i, std::size_t j) -> double& { return matrix[i * (i + 1) / 2 + j]; };
  const double rounding =
      16.0 * std::numeric_limits<double>::epsilon() * static_cast<double>(outputs + static_cast<std::int64_t>(k));
  for (std::size_t i = 0; i < k; ++i) {
    const double diagonal = sum[3 * k + i * (i + 1) / 2 + i].value();
    if (!std::isfinite(diagonal)) fail(Status::non_finite, i, "its variance is no finite number");
    // What is left by the local laws of the variance that there was: rounding alone where they fix the row.
    if (!(diagonal > rounding * sum[2 * k + i].value()))
      fail(Status::rank_deficient, i, "no output that the local laws leave free can meet it");
    scale[i] = 1.0 / std::sqrt(diagonal);
  }
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double w = sum[3 * k + i * (i + 1) / 2 + j].value() * scale[i] * scale[j];
      for (std::size_t l = 0; l < j; ++l) w -= entry(i, l) * entry(j, l);
      if (i != j) {
        entry(i, j) = w / entry(j, j);
        continue;
      }
      if (!(w > rounding * sum[2 * k + i].value() * scale[i] * scale[i]))
        fail(Status::rank_deficient, i, "it depends on the rows before it");
      entry(i, i) = std::sqrt(w);
    }
  for (std::size_t i = 0; i < k; ++i) {
    x[i] *= scale[i];
    for (std::size_t l = 0; l < i; ++l) x[i] -= entry(i, l) * x[l];
    x[i] /= entry(i, i);
  }
  for (std::size_t i = k; i-- > 0;) {
    for (std::size_t l = i + 1; l < k; ++l) x[i] -= entry(l, i) * x[l];
    x[i] /= entry(i, i);
  }
  for (std::size_t i = 0; i < k; ++i) {
    x[i] *= scale[i];
    closures[member * k + i].multiplier = x[i];
  }
}

GlobalLaws::GlobalLaws(std::shared_ptr<const Model> model, const GlobalLawsOptions& options)
    : implementation_(std::make_unique<Implementation>(std::move(model), options)) {}
GlobalLaws::~GlobalLaws() = default;
GlobalLaws::GlobalLaws(GlobalLaws&&) noexcept = default;
GlobalLaws& GlobalLaws::operator=(GlobalLaws&&) noexcept = default;

void GlobalLaws::begin(const double* right_hand_side) {
  Implementation& own = *implementation_;
  own.phase = Implementation::Phase::idle;
  for (std::size_t i = 0; i < own.k; ++i) {
    own.right_hand_side[i] = right_hand_side != nullptr ? right_hand_side[i] : 0.0;
    if (!std::isfinite(own.right_hand_side[i]))
      throw Error(Status::non_finite, "global law " + std::to_string(i) + ": its right-hand side is no finite number");
  }
  for (auto& sum : own.drawn) sum.clear();
  for (auto& sum : own.corrected) sum.clear();
  own.columns = own.left_out = own.all_columns = own.all_left_out = 0;
  own.phase = Implementation::Phase::open;
}

void GlobalLaws::close(Status mine, Reduce reduce, void* context) {
  Implementation& own = *implementation_;
  const detail::DefaultFloatingPoint environment;
  if (own.phase != Implementation::Phase::open && mine == Status::ok) mine = Status::invalid_argument;
  own.phase = Implementation::Phase::idle;
  own.reduce_all(own.drawn, mine, reduce, context, "GlobalLaws::close");
  for (std::size_t m = 0; m < own.members; ++m) own.solve(m);
  own.phase = Implementation::Phase::closed;
}

void GlobalLaws::finish(Status mine, Reduce reduce, void* context) {
  Implementation& own = *implementation_;
  const detail::DefaultFloatingPoint environment;
  if (own.phase != Implementation::Phase::closed && mine == Status::ok) mine = Status::invalid_argument;
  own.phase = Implementation::Phase::idle;
  // What correct() drew again is what run() drew: else its corrections are not those of these sums.
  std::int64_t was[ExactSum::word_count], is[ExactSum::word_count];
  for (std::size_t m = 0; m < own.members && mine == Status::ok; ++m)
    for (std::size_t i = 0; i < own.k; ++i) {
      own.drawn[m * own.drawn_sums() + i].pack(was);
      own.corrected[m * own.corrected_sums() + i].pack(is);
      if (!std::equal(was, was + ExactSum::word_count, is)) mine = Status::invalid_argument;
    }
  own.reduce_all(own.corrected, mine, reduce, context,
                 "GlobalLaws::finish (every chunk of run() is to be given to correct() once, with the same arguments)");
  for (std::size_t m = 0; m < own.members; ++m) {
    const ExactSum* sum = own.total.data() + m * own.corrected_sums();
    for (std::size_t i = 0; i < own.k; ++i) {
      ExactSum residual = sum[own.k + i];
      residual.add(-own.right_hand_side[i]);
      GlobalClosure& closure = own.closures[m * own.k + i];
      closure.after = sum[own.k + i].value();
      closure.relative_after = relative(residual.value(), sum[2 * own.k + i].value(), own.right_hand_side[i]);
    }
  }
}

const GlobalClosure& GlobalLaws::closure(std::uint64_t member, int row) const {
  const Implementation& own = *implementation_;
  if (row < 0 || row >= own.options.rows)
    throw Error(Status::out_of_range,
                "global law " + std::to_string(row) + ": there are " + std::to_string(own.options.rows));
  return own.closures[own.member_of(member) * own.k + static_cast<std::size_t>(row)];
}

std::int64_t GlobalLaws::columns() const noexcept { return implementation_->all_columns; }
std::int64_t GlobalLaws::left_out() const noexcept { return implementation_->all_left_out; }

}  // namespace lavoisier
