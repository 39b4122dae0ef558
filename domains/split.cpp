#include "split.hpp"

#include "graph_section.hpp"

#include "series_section.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/random.hpp>

#include <filesystem>
#include <numeric>
#include <set>
#include <utility>
#include <utility>

namespace lavoisier {
namespace detail {
namespace {

constexpr std::uint64_t split_stream = 0x73706c6974ULL;  // "split": apart from what training and sampling draw
using Lists = std::vector<std::pair<const char*, std::vector<std::int64_t>*>>;

std::int64_t share_of(double share, std::int64_t rows) {
  // Rounded down, but not because .29 x 100 is a little less than 29 in binary.
  return static_cast<std::int64_t>(std::floor(share * static_cast<double>(rows) + 1e-9));
}

/// Which numbers of blocks or groups, `what`, are for test and validation.
void read_numbers(const Section& split, const std::string& what, const std::string& numbered, Split& result) {
  const auto modulus = split.integer("modulus", numbered);
  if (modulus < 2 || modulus > 1000000)
    split.fail(Status::invalid_format, fmt::format("expected a modulus of 2 to 1000000, found {}", modulus), "modulus");
  result.modulus = static_cast<int>(modulus);
  result.test = split.integers("test", "numbers of the test " + what + "s");
  result.validation = split.integers("validation", "numbers of the validation " + what + "s");
  std::set<int> used;
  for (const auto& [key, numbers] : {std::pair("test", &result.test), std::pair("validation", &result.validation)})
    for (const int number : *numbers) {
      if (number >= result.modulus)
        split.fail(Status::invalid_format,
                   fmt::format("{} {} of \"{}\" is beyond the modulus {}", what, number, key, result.modulus), key);
      if (!used.insert(number).second)
        split.fail(Status::invalid_format, fmt::format("{} {} of \"{}\" is used twice", what, number, key), key);
    }
  if (used.size() == static_cast<std::size_t>(result.modulus))
    split.fail(Status::invalid_format, "this split leaves no " + what + " for training", "test");
}

void read_blocks(const Section& split, const std::vector<std::string>& dimensions, Split& result) {
  result.axis = split.string("axis", "the sample dimension whose coordinate decides");
  if (std::find(dimensions.begin(), dimensions.end(), result.axis) == dimensions.end())
    split.fail(Status::not_found,
               fmt::format("\"{}\" is no sample dimension; these are {}", result.axis, listed(dimensions)), "axis");
  result.width = split.positive("width", "of a block, in the axis' units as they stand in the file");
  read_numbers(split, "block", "blocks are numbered floor(coordinate / width) mod modulus", result);
}

void read_groups(const Section& split, Split& result) {
  result.variable = split.string("variable", "of the file, over the samples: equal values are one group");
  read_numbers(split, "group", "groups are numbered by ascending value, from 0, mod modulus", result);
}

double read_share(const Section& split, const char* key) {
  const double share = split.number(key, "share of the rows, from 0 to 1; the rest is for training");
  if (!(share >= 0.0 && share < 1.0))
    split.fail(Status::invalid_format,
               fmt::format("expected a share from 0 to below 1 for \"{}\" in {}, found {}", key, split.name(), share),
               key);
  return share;
}

void read_files(const Section& split, Split& result) {
  result.test_files = split.strings("test", "texts: a file with one of them in its name is for test");
  result.validation_share = read_share(split, "validation");
}

void read_rows(const Section& lists, Split& result) {
  std::set<std::int64_t> used;
  for (const auto& [key, rows] : Lists{{"test", &result.test_rows}, {"validation", &result.validation_rows}})
    for (const int row : lists.integers(key, "numbers of rows, the first is 0; the others are for training")) {
      if (!used.insert(row).second)
        lists.fail(Status::invalid_format, fmt::format("row {} of \"{}\" is used twice", row, key), key);
      rows->push_back(row);
    }
}

std::vector<Box> read_boxes(const Section& split, const char* key, const std::vector<std::string>& dimensions) {
  const auto& node = split.required(key, "an array of boxes such as { lat = [-45, -10], lon = [110, 160] }");
  if (!node.is_array()) split.wrong_type(node, key, "an array of boxes");
  std::vector<Box> boxes;
  for (const auto& item : *node.as_array()) {
    if (!item.is_table()) split.wrong_type(item, key, "an array of boxes");
    const Section one(split.text(), *item.as_table(), fmt::format("a box of \"{}\"", key), position(item), dimensions);
    Box box;
    for (const std::string& name : dimensions) {
      if (!one.has(name)) continue;
      const std::vector<double> range = one.numbers(name, "");
      if (range.size() != 2 || !(range[0] < range[1]))
        one.fail(Status::invalid_format,
                 fmt::format("expected an interval [low, high) of \"{}\" with low below high", name), name);
      box[name] = {range[0], range[1]};
    }
    if (box.empty())
      split.text().fail(Status::invalid_format, fmt::format("expected an interval of at least one of {}", listed(dimensions)),
                        position(item));
    boxes.push_back(std::move(box));
  }
  return boxes;
}

}  // namespace

Split read_split(const Section& top, const std::vector<std::string>& dimensions) {
  const auto& node = top.required("split", "");
  if (!node.is_table()) top.wrong_type(node, "split", "a table");
  const toml::table& table = *node.as_table();
  Split result;
  std::string kind = "block";
  if (const auto* const word = table.get("kind"); word != nullptr && word->is_string())
    kind = *word->value<std::string>();
  const std::vector<std::string> kinds = {"block", "sequential", "random", "indices", "groups", "boxes", "files", "dates"};
  const auto known = std::find(kinds.begin(), kinds.end(), kind);
  std::vector<std::string> legal = {"kind", "test", "validation"};
  if (known == kinds.end()) legal.insert(legal.end(), {"axis", "width", "modulus", "variable", "seed", "covering", "file"});
  if (kind == "block") legal.insert(legal.end(), {"axis", "width", "modulus"});
  if (kind == "groups") legal.insert(legal.end(), {"variable", "modulus"});
  if (kind == "random" || kind == "files") legal.emplace_back("seed");
  if (kind == "random") legal.emplace_back("covering");
  if (kind == "indices") legal.emplace_back("file");
  const Section split(top.text(), table, "[split]", position(node), legal);
  if (split.has("kind")) kind = split.string("kind", "");
  const auto found = std::find(kinds.begin(), kinds.end(), kind);
  if (found == kinds.end()) {
    const std::string near = nearest_name(kind, kinds);
    split.fail(Status::invalid_format,
               fmt::format("unknown kind \"{}\" of a split; {}", kind,
                           near.empty() ? "there are " + listed(kinds) : "did you mean \"" + near + "\"?"),
               "kind");
  }
  result.kind = static_cast<Split::Kind>(found - kinds.begin());
  if (result.kind == Split::Kind::block) {
    read_blocks(split, dimensions, result);
    return result;
  }
  if (result.kind == Split::Kind::groups) {
    read_groups(split, result);
    return result;
  }
  if (result.kind == Split::Kind::boxes) {
    result.test_boxes = read_boxes(split, "test", dimensions);
    result.validation_boxes = read_boxes(split, "validation", dimensions);
    return result;
  }
  if (dimensions.size() != 1)
    split.fail(Status::invalid_format,
               fmt::format("a {} split counts rows: it needs one sample dimension, this domain has {}", kind,
                           listed(dimensions)),
               "kind");
  if (result.kind == Split::Kind::dates) {
    result.validation_from = read_day(split, "validation", "the first date for validation");
    result.test_from = read_day(split, "test", "the first date for test");
    if (result.test_from <= result.validation_from)
      split.fail(Status::invalid_format, "expected test dates behind those for validation", "test");
    return result;
  }
  if (result.kind != Split::Kind::indices) {
    if (result.kind == Split::Kind::files) {
      read_files(split, result);
    } else {
      result.test_share = read_share(split, "test");
      result.validation_share = read_share(split, "validation");
    }
    if (result.test_share + result.validation_share >= 1.0)
      split.fail(Status::invalid_format, "this split leaves no row for training", "test");
    if (split.has("seed")) {
      const auto seed = split.integer("seed", "");
      if (seed < 0) split.fail(Status::invalid_format, fmt::format("expected a seed from 0, found {}", seed), "seed");
      result.seed = static_cast<std::uint64_t>(seed);
    }
    result.covering = split.string_or_empty("covering");
    return result;
  }
  if (!split.has("file")) {
    read_rows(split, result);
    return result;
  }
  if (split.has("test") || split.has("validation"))
    split.fail(Status::invalid_format, "the rows are either listed here or in a file", "file");
  const std::filesystem::path path =
      std::filesystem::path(top.text().origin()).parent_path() / split.string("file", "");
  std::string rows;
  try {
    rows = read_toml_file(path, std::uintmax_t{256} << 20);
  } catch (const Error& error) {
    split.fail(error.status(), error.what(), "file");
  }
  const SourceText text(std::move(rows), path.string());
  const toml::table root = parse_toml(text);
  read_rows(Section(text, root, "the list of rows", {1, 1}, {"test", "validation"}), result);
  return result;
}

std::string misfit(const Split& split, const Domain& domain) {
  using Kind = Split::Kind;
  if (split.kind == Kind::dates && !domain.series) return "a split by dates is of a series: [samples] with series = true";
  if (domain.blocks && split.kind == Kind::groups)
    return "blocks of cells have no groups: a split by a variable; boxes and bands of an axis divide them";
  return misfit_of_graphs(split, domain);
}

Subset subset_in_boxes(const Split& split, const std::function<double(const std::string& dimension)>& coordinate) {
  const auto in = [&](const std::vector<Box>& boxes) {
    return std::any_of(boxes.begin(), boxes.end(), [&](const Box& box) {
      return std::all_of(box.begin(), box.end(), [&](const auto& side) {
        const double value = coordinate(side.first);
        return value >= side.second.first && value < side.second.second;
      });
    });
  };
  return in(split.test_boxes) ? Subset::test : in(split.validation_boxes) ? Subset::validation : Subset::training;
}

void GroupNumbers::see(double value) {
  if (std::isfinite(value)) subsets_[value] = Subset::training;
}

Subset GroupNumbers::subset(double value) {
  double number = 0.0;
  if (!numbered_)
    for (auto& [group, subset] : subsets_) subset = subset_of_number(split_, number++);
  numbered_ = true;
  return std::isfinite(value) ? subsets_.at(value) : Subset::training;
}

}  // namespace detail

std::vector<Subset> subsets_of_rows(const Split& split, std::int64_t rows) {
  LAVOISIER_REQUIRE(split.kind != Split::Kind::block && split.kind != Split::Kind::groups && split.kind != Split::Kind::boxes &&
                        split.kind != Split::Kind::files && split.kind != Split::Kind::dates,
                    "a split by blocks, groups, boxes, files or dates needs more than rows");
  std::vector<Subset> subsets(static_cast<std::size_t>(rows), Subset::training);
  if (split.kind == Split::Kind::indices) {
    for (const auto& [subset, list] :
         {std::pair(Subset::test, &split.test_rows), std::pair(Subset::validation, &split.validation_rows)})
      for (const std::int64_t row : *list) {
        if (row < 0 || row >= rows)
          throw Error(Status::out_of_range,
                      fmt::format("the split lists row {} for {}; there are {} rows, numbered from 0", row,
                                  to_string(subset), rows));
        subsets[static_cast<std::size_t>(row)] = subset;
      }
    return subsets;
  }
  std::vector<std::size_t> order(subsets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (split.kind == Split::Kind::random) {
    const random::Key key{split.seed, detail::split_stream};
    for (std::size_t at = order.size(); at-- > 1;) {
      const auto words = random::words(key, {.step = split.permutation, .element = static_cast<std::uint64_t>(at)});
      __extension__ using Wide = unsigned __int128;
      std::swap(order[at], order[static_cast<std::size_t>((static_cast<Wide>(words[0]) * (at + 1)) >> 64)]);
    }
  }
  const auto test = static_cast<std::size_t>(detail::share_of(split.test_share, rows));
  const auto validation = static_cast<std::size_t>(detail::share_of(split.validation_share, rows));
  for (std::size_t i = 0; i < test; ++i) subsets[order[order.size() - 1 - i]] = Subset::test;
  for (std::size_t i = 0; i < validation; ++i) subsets[order[order.size() - test - 1 - i]] = Subset::validation;
  return subsets;
}

std::vector<Subset> subsets_of_file(const Split& split, const std::filesystem::path& path, std::int64_t rows) {
  std::filesystem::path clean = path.lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();  // "folder/"
  const std::string name = clean.filename().string();
  const auto& tests = split.test_files;
  if (std::any_of(tests.begin(), tests.end(), [&](const std::string& part) { return name.find(part) != std::string::npos; }))
    return std::vector<Subset>(static_cast<std::size_t>(rows), Subset::test);
  Split share = split;
  share.kind = Split::Kind::random;
  share.test_share = 0.0;
  return subsets_of_rows(share, rows);
}

Subset subset_of_number(const Split& split, double number) {
  double rest = std::fmod(number, split.modulus);
  if (rest < 0.0) rest += split.modulus;
  const auto has = [&](const std::vector<int>& list) {
    return std::find(list.begin(), list.end(), static_cast<int>(rest)) != list.end();
  };
  return has(split.test) ? Subset::test : has(split.validation) ? Subset::validation : Subset::training;
}

std::string describe(const Split& split) {
  const auto boxes = [](const std::vector<Box>& all) {
    std::string text;
    for (const Box& box : all) {
      std::string one;
      for (const auto& [name, side] : box)
        one += fmt::format("{}{:g} <= {} < {:g}", one.empty() ? "" : ", ", side.first, name, side.second);
      text += (text.empty() ? "" : " or ") + one;
    }
    return text.empty() ? std::string("none") : text;
  };
  const auto blocks = [](const std::vector<int>& numbers) { return fmt::format("{}", fmt::join(numbers, ", ")); };
  switch (split.kind) {
    case Split::Kind::block:
      return fmt::format("floor({}/{:g}) mod {}: test {}, validation {}, training the rest", split.axis, split.width,
                         split.modulus, blocks(split.test), blocks(split.validation));
    case Split::Kind::sequential:
      return fmt::format("rows in file order: first training, then {:g} validation, last {:g} test",
                         split.validation_share, split.test_share);
    case Split::Kind::random:
      return fmt::format("rows at random (seed {}{}): {:g} validation, {:g} test, training the rest", split.seed,
                         split.covering.empty() ? "" : fmt::format(", drawn until training has every {}", split.covering),
                         split.validation_share, split.test_share);
    case Split::Kind::indices:
      return fmt::format("rows as listed: {} validation, {} test, training the rest", split.validation_rows.size(),
                         split.test_rows.size());
    case Split::Kind::groups:
      return fmt::format("groups of {}, numbered by ascending value, mod {}: test {}, validation {}, training the rest",
                         split.variable, split.modulus, blocks(split.test), blocks(split.validation));
    case Split::Kind::boxes:
      return fmt::format("test where {}; validation where {}; training the rest", boxes(split.test_boxes),
                         boxes(split.validation_boxes));
    case Split::Kind::files:
      return fmt::format("files with {} in their names: test; of others {:g} at random (seed {}) validation, training the rest",
                         fmt::join(split.test_files, " or "), split.validation_share, split.seed);
    case Split::Kind::dates:
      return fmt::format("training before {}, then validation, test from {} on; dates whose periods overlap a later one's part are left out",
                         date_text(split.validation_from), date_text(split.test_from));
  }
  return {};
}

std::optional<Split> read_split(const std::string& text, const std::string& origin,
                                const std::vector<std::string>& sample_dimensions) {
  const detail::SourceText source(text, origin);
  const toml::table root = detail::parse_toml(source);
  if (!root.contains("split")) return std::nullopt;
  std::vector<std::string> legal;
  for (const auto& [key, value] : root) legal.emplace_back(key.str());  // the others are not ours to judge
  return detail::read_split(detail::Section(source, root, "the file", {1, 1}, legal), sample_dimensions);
}

}  // namespace lavoisier
