#include "artefact.hpp"
#include "closure_statistics.hpp"
#include "commands.hpp"
#include "generation_runner.hpp"
#include "global_generation.hpp"
#include "global_statistics.hpp"
#include "kokkos_session.hpp"
#include "portfolio_history.hpp"
#include "csv_ensemble.hpp"
#include "terminal.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/emulator.hpp>
#include <lavoisier/ensemble_writer.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/image_reader.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;
constexpr std::int64_t most_cells_a_read = 32768, most_values_a_read = std::int64_t{1} << 23;
constexpr std::int64_t cached_values = std::int64_t{1} << 25;  // 256 MiB of inputs are kept between members

Backend backend_from(const std::string& word) {
  if (word == "serial") return Backend::serial;
  if (word == "openmp") return Backend::openmp;
  if (word == "device") return Backend::device;
  return Backend::automatic;
}

/// One output of cells of a grid, or of blocks of them (whole rows). Cells of the grid without a value have none here either,
/// nor has what is behind a graph's nodes.
void write_output(EnsembleWriter& writer, const std::string& name, const Block& block, const std::optional<BlockShape>& shape,
                  std::size_t output, std::span<double> values) {
  const std::size_t all = block.masked.size() / static_cast<std::size_t>(block.cells);  // output elements
  const std::size_t cells = values.size() / static_cast<std::size_t>(block.cells);       // of one block, nodes of one graph
  for (std::size_t i = 0; i < values.size() && !block.masked.empty(); ++i)
    if (block.masked[i / cells * all + output * cells + i % cells] != 0) values[i] = std::numeric_limits<double>::quiet_NaN();
  if (!shape) {
    writer.write(name, block.first, values);
    return;
  }
  const std::size_t row = static_cast<std::size_t>(shape->blocks_x()) * cells;
  for (std::size_t done = 0; done < values.size(); done += row)
    writer.write(name, shape->first_cell((block.first * shape->cells() + static_cast<std::int64_t>(done)) / static_cast<std::int64_t>(row)),
                 rows_of_blocks(*shape, values.data() + done));
}

/// Members that an earlier, larger ensemble left in the folder would be taken for ours.
void clear_leftovers(const std::filesystem::path& folder, std::int64_t members, bool overwrite) {
  if (!std::filesystem::is_directory(folder)) return;
  std::vector<std::filesystem::path> others;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    // Of a run that was killed: nobody will finish it.
    if (overwrite && name.rfind("member_", 0) == 0 && name.find(".nc.tmp-") != std::string::npos) others.push_back(entry.path());
    if (name.rfind("member_", 0) != 0 || entry.path().extension() != ".nc") continue;
    const std::int64_t number = std::atoll(name.c_str() + 7);
    if (number > members || number < 1) others.push_back(entry.path());
  }
  if (others.empty()) return;
  if (!overwrite) {
    throw Error(Status::invalid_argument,
                fmt::format("{} holds members of another ensemble ({}, {} in all beyond number {}): choose another "
                            "folder, or give --overwrite to remove them",
                            folder.string(), others.front().filename().string(), others.size(), members));
  }
  for (const auto& path : others) std::filesystem::remove(path);
}

/// Cells that are read at once: fewer where a cell has many outputs, whole rows where cells are blocks, which are written so.
std::int64_t cells_of_a_read(const Domain& domain, const SampleReader& reader) {
  const std::int64_t most =
      std::clamp(most_values_a_read / std::max<std::int64_t>(domain.layout.elements(Role::output), 1), std::int64_t{1}, most_cells_a_read);
  const std::optional<BlockShape> shape = reader.block_shape();
  return shape ? std::max<std::int64_t>(most / shape->blocks_x(), 1) * shape->blocks_x() : most;
}

/// Cells of as many whole steps as make a read, or of all where steps do not lie together.
std::int64_t whole_steps(const Domain& domain, const SampleReader& reader) {
  const auto is_column = [&](const FileAxis& axis) {
    const auto& names = domain.column_dimensions;
    return std::find(names.begin(), names.end(), axis.name) != names.end();
  };
  const std::vector<FileAxis> axes = reader.axes();
  const auto first = std::find_if(axes.begin(), axes.end(), is_column);
  if (!std::all_of(first, axes.end(), is_column)) return std::max<std::int64_t>(reader.cells(), 1);
  std::int64_t step = 1;
  for (auto axis = first; axis != axes.end(); ++axis) step *= static_cast<std::int64_t>(axis->values.size());
  step = std::max<std::int64_t>(step, 1);
  return step * std::max<std::int64_t>(cells_of_a_read(domain, reader) / step, 1);
}

template <typename Number>
int generate(const Arguments& arguments, const std::shared_ptr<const Model>& model, const Domain& domain,
             const ElementCoordinates& levels, Storage storage) {
  const bool quiet = arguments.flag("quiet");
  const std::filesystem::path inputs = arguments.text("inputs");
  const std::filesystem::path folder = arguments.text("output");
  const std::int64_t members = arguments.integer("members", 1, 4294967295LL);
  const std::string subset_word = arguments.choice("subset", {"all", "test", "validation", "training"});
  std::optional<Subset> subset;
  if (subset_word != "all") {
    if (!domain.split) throw UsageError(fmt::format("--subset {}: domain '{}' has no split", subset_word, domain.name));
    subset = subset_from(subset_word);
  }

  WorkspaceOptions options;
  options.max_columns = arguments.integer("chunk", 1, 1 << 24);
  options.backend = backend_from(arguments.text("backend"));
  options.seed = arguments.unsigned_integer("seed");
  const std::map<std::string, double> given =
      given_step_values(domain, arguments.has("global") ? arguments.list("global") : std::vector<std::string>());
  std::vector<GlobalLaw> global_laws = chosen_laws(domain, arguments.text("global-laws"), given);
  options.global_rows = static_cast<int>(global_laws.size());

  const SampleReader reader(domain, inputs, false);
  if (subset) require_subsets(domain, reader, inputs);
  require_same(levels, reader.element_coordinates());
  const GlobalProblem problem = global_problem(domain, reader, inputs, subset, std::move(global_laws), given);
  std::optional<GlobalGeneration> global;
  if (!problem.laws.empty()) global.emplace(model, problem);
  Runner<Number> runner(model, options);
  const Grid grid(reader.axes());
  const auto elements = static_cast<std::size_t>(domain.layout.elements(Role::input));
  const bool as_table = is_csv(folder);
  if (as_table) {
    if (!domain.table) {
      throw UsageError(fmt::format("--output {}: domain '{}' has no table: give a folder for NetCDF files", folder.string(),
                                   domain.name));
    }
    require_writable(folder);
    std::error_code none;
    if (std::filesystem::equivalent(folder, inputs, none)) {
      throw UsageError(fmt::format("--output {} is the table of inputs", folder.string()));
    }
  } else {
    clear_leftovers(folder, members, arguments.flag("overwrite"));
  }

  EnsembleOptions ensemble;
  ensemble.folder = folder;
  const std::optional<BlockShape> shape = reader.block_shape();
  const std::int64_t read_at_once = cells_of_a_read(domain, reader);
  ensemble.axes = reader.grid_axes();
  ensemble.storage = storage;
  ensemble.compression = static_cast<int>(arguments.integer("compression", 0, 9));
  ensemble.element_axes = reader.element_axes();
  ensemble.coordinates = reader.coordinates();
  for (const Variable& v : domain.layout.with_role(Role::output)) {
    ensemble.fields.push_back({v.name, v.units, v.standard_name, v.long_name,
                               shape ? std::vector<std::string>() : v.dimensions});
  }
  ensemble.global_attributes = {
      {"title", fmt::format("{}: ensemble generated by Lavoisier", domain.title.empty() ? domain.name : domain.title)},
      {"source", fmt::format("lavoisier {}; model sha256:{}; strategy {}", version(), model->digest(), model->strategy())},
      {"history", fmt::format("{} {}", timestamp(), arguments.command_line())},
      {"lavoisier_version", version()},
      {"lavoisier_model_sha256", model->digest()},
      {"lavoisier_strategy", model->strategy()},
      {"lavoisier_domain", domain.name},
      {"lavoisier_subset", subset_word},
      {"lavoisier_seed", arguments.text("seed")},
      {"lavoisier_inputs", fmt::format("{} sha256:{}", inputs.filename().string(), sha256_of_data(inputs))},
      {"lavoisier_instruction_set", runner.workspace().instruction_set()},
      {"lavoisier_options", arguments.resolved_json()},
  };
  if (global) ensemble.global_attributes["lavoisier_global_laws"] = global->names();
  if (domain.series) {
    const PriceTable prices = load_prices(domain, inputs);
    ensemble.global_attributes["lavoisier_dates"] = dates_text(prices, prices.dates());
  }
  std::optional<EnsembleWriter> writer;
  std::optional<CsvEnsembleWriter> table_writer;
  if (as_table) {
    table_writer.emplace(folder, ensemble.fields, storage, ensemble.global_attributes);
  } else {
    writer.emplace(ensemble);
  }

  catch_interrupts();
  const bool cached = reader.cells() * static_cast<std::int64_t>(elements) <= cached_values;
  std::vector<Block> cache;
  std::vector<double> values;
  Progress progress(quiet);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::int64_t cells = 0, incomplete = 0;
  // Laws over all columns need the whole of a step before any of it is written: as many cells at a time.
  const std::int64_t window = global ? whole_steps(domain, reader) : read_at_once;
  for (std::int64_t member = 1; member <= members; ++member) {
    if (writer) writer->open(member);
    if (global) global->begin_member(member);
    std::size_t number = 0;
    const auto block_at = [&](std::int64_t first, std::int64_t end, Block& fresh, bool again) -> const Block& {
      stop_if_interrupted(as_table ? "nothing was written"
                                   : fmt::format("{} complete members are in {}, the unfinished one was removed",
                                                 member - 1, folder.string()));
      if (cached && (member > 1 || again)) return cache[number++];
      fresh = read_block(reader, first, std::min(read_at_once, end - first), elements, subset);
      if (global) sort_by_step(fresh, reader, elements);
      if (member == 1 && !again) {
        cells += static_cast<std::int64_t>(fresh.cell.size());
        incomplete += fresh.incomplete;
      }
      if (!cached) return fresh;
      cache.push_back(std::move(fresh));
      return cache[number++];
    };
    for (std::int64_t begin = 0; begin < reader.cells(); begin += window) {
      const std::int64_t end = std::min(begin + window, reader.cells());
      Block fresh;
      if (global) {
        const std::size_t first_number = number;
        for (std::int64_t first = begin; first < end; first += read_at_once) {
          runner.run(block_at(first, end, fresh, false), member, values, Phase::draw, &*global);
        }
        global->close();
        number = first_number;
      }
      for (std::int64_t first = begin; first < end; first += read_at_once) {
        const Block& block = block_at(first, end, fresh, global.has_value());
        runner.run(block, member, values, global ? Phase::correct : Phase::only, global ? &*global : nullptr);
        if (table_writer) table_writer->write(member, first, block.cells, values);
        std::span<double> rest = values;
        for (std::size_t i = 0; writer && i < ensemble.fields.size(); ++i) {
          const auto size = static_cast<std::size_t>(block.cells * model->outputs()[i].elements);
          write_output(*writer, ensemble.fields[i].name, block, shape, i, rest.first(size));
          rest = rest.subspan(size);
        }
      }
      if (global) global->finish();
    }
    if (global && writer) writer->attribute("lavoisier_global_law_residuals", global->residuals());
    if (cells == 0) {
      throw Error(Status::invalid_argument,
                  fmt::format("{}: no cell of subset '{}' has all its inputs", inputs.string(), subset_word));
    }
    if (writer) writer->close();
    const double left = seconds() / static_cast<double>(member) * static_cast<double>(members - member);
    progress.update(fmt::format("member {}/{}  {} columns  {} left", member, members, cells, duration(left)),
                    member == members);
  }
  if (global && table_writer) table_writer->attribute("lavoisier_global_law_residuals", global->residuals(true));
  if (table_writer) table_writer->close();
  progress.clear();

  const double tolerance =
      storage == Storage::f64 ? tolerances::identity::relative_fp64 : tolerances::identity::relative_fp32;
  bool pass = true;
  Table table({"law", "units", "largest |residual|", "rms", "largest relative", "tolerance", "", "worst at"});
  table.left(1);
  table.left(7);
  ordered_json laws = ordered_json::array();
  // Of a law of any scope: its row, and what JSON says of it. `worst`: where, after the member.
  const auto tell = [&](const std::string& name, const std::string& units, const auto& total, std::int64_t samples, bool holds,
                        const std::string& text, const ordered_json& worst, const char* scope) {
    const double rms = std::sqrt(total.square_sum / static_cast<double>(std::max<std::int64_t>(samples, 1)));
    pass = pass && holds;
    table.add({name, units, scientific(total.max_absolute), scientific(rms), scientific(total.max_relative), scientific(tolerance),
               verdict(holds), fmt::format("member {}, {}", total.worst_member, text)});
    ordered_json entry;
    entry["name"] = name;
    entry["units"] = units;
    entry["max_abs"] = total.max_absolute;
    entry["rms"] = rms;
    entry["max_relative"] = total.max_relative;
    entry["worst"] = {{"member", total.worst_member}};
    entry["worst"].update(worst);
    entry["tolerance"] = tolerance;
    entry["pass"] = holds;
    entry["scope"] = scope;
    laws.push_back(entry);
  };
  for (std::size_t l = 0; l < runner.laws.size(); ++l) {
    const LawInfo& law = model->laws()[l];
    const LawTotal& total = runner.laws[l];
    tell(law.name, law.units, total, runner.columns, total.max_relative <= tolerance, grid.text(total.worst_cell),
         {{"cell", total.worst_cell}, {"at", grid.values(total.worst_cell)}}, "local");
  }
  const Grid steps(problem.step_axes);
  for (std::size_t l = 0; l < problem.laws.size(); ++l) {
    const Law& law = problem.laws[l].law;
    const GlobalGeneration::Total& total = global->totals()[l];
    tell(law.name, law.units, total, total.samples, total.max_relative <= tolerance && global->left_out() == 0,
         step_text(steps, total.worst_step), {{"step", total.worst_step}, {"at", steps.values(total.worst_step)}}, "global");
    laws.back()["samples"] = total.samples;
  }
  if (!quiet) {
    fmt::print("{} members x {} columns of {} in {} ({}, {})\n{}", members, cells, domain.name, duration(seconds()),
               runner.workspace().backend(), runner.workspace().instruction_set(), table.text());
    const std::int64_t flagged = runner.out_of_range / members;
    fmt::print("  columns outside the training range: {} of {}{}\n", flagged, cells,
               flagged > 0 ? " (generated all the same)" : "");
    if (runner.left_out > 0) {
      fmt::print("  columns left out (no number, or laws that cannot be met): {}\n", runner.left_out / members);
    }
    if (incomplete > 0) fmt::print("  cells left out because some inputs are missing: {}\n", incomplete);
    if (global && global->left_out() > 0) {
      fmt::print("  so the laws over all columns are not over all of them\n");
    }
    if (!pass) {
      fmt::print("  the laws are not met to the identity tolerance{}\n",
                 model->strategy() == "none" || model->strategy() == "penalty"
                     ? fmt::format(": strategy '{}' does not impose them", model->strategy())
                     : "");
    }
    if (as_table) {
      fmt::print("wrote {} ({} members) and {}.json\n", folder.string(), members, folder.string());
    } else {
      fmt::print("wrote {} files to {}\n", members, folder.string());
    }
  }
  ordered_json json;
  json["pass"] = pass;
  json["laws"] = laws;
  json["members"] = members;
  json["columns"] = cells;
  json["incomplete_cells"] = incomplete;
  json["out_of_range_columns"] = runner.out_of_range / members;
  json["left_out_columns"] = runner.left_out / members;
  json["seconds"] = seconds();
  json["backend"] = runner.workspace().backend();
  json["instruction_set"] = runner.workspace().instruction_set();
  json["model"] = {{"file", arguments.text("model")}, {"sha256", model->digest()}, {"strategy", model->strategy()}};
  json["output"] = folder.string();
  json["version"] = version();
  json["options"] = arguments.resolved();
  write_json(arguments, json.dump(2) + "\n");
  return pass || arguments.flag("allow-violation") ? exit_ok : exit_check;
}

}  // namespace

const Command& generate_command() {
  static const Command command = {
      "generate",
      "model file + inputs to a compliant ensemble, through the plugin",
      "lavoisier generate --model ocean.safetensors --inputs esku_heat_budget.cdf --subset test \\\n"
      "    --members 50 --seed 7 --output ensemble",
      "",
      {
          {"model", "FILE", "model file", "", false},
          {"inputs", "FILE", "file with the inputs: NetCDF, or CSV for a domain of tables; of a domain of images also images", "", false},
          {"output", "DIR", "folder for member_0001.nc, member_0002.nc, ...; of a table also NAME.csv: one file", "", false},
          {"members", "M", "how many", "10", false},
          {"seed", "N", "values depend on it, the model, column, step and member alone", "0", false},
          {"domain", "NAME|FILE", "how inputs are found in the file (default: the one the model was trained with)", "", false},
          {"subset", "NAME", "all, test, validation or training", "all", false},
          {"storage", "TYPE", "f64 or f32", "f64", false},
          {"compression", "LEVEL", "deflate, 0 (none) to 9", "0", false},
          {"chunk", "N", "columns in one call of the plugin; the values do not depend on it", "4096", false},
          {"global-laws", "WORD", "laws over all columns that are met: stated (those that are not on request), all or none", "stated", false},
          {"global", "NAME=VALUE", "a step value of the domain, for all steps; laws on request that need it are met", "", true},
          {"backend", "NAME", "automatic, serial, openmp or device", "automatic", false},
          {"threads", "N", "0: OMP_NUM_THREADS or all", "0", false},
          {"overwrite", "", "remove members of an earlier ensemble from the folder", "", false},
          {"allow-violation", "", "report laws that are missed, but exit with 0 (strategies none and penalty miss them)", "", false},
      }};
  return command;
}

int run_generate(const Arguments& arguments) {
  const std::string storage = arguments.choice("storage", {"f64", "f32"});
  arguments.choice("backend", {"automatic", "serial", "openmp", "device"});
  arguments.choice("subset", {"all", "test", "validation", "training"});
  arguments.choice("global-laws", {"stated", "all", "none"});
  arguments.text("output");
  arguments.text("inputs");
  const std::filesystem::path path = arguments.text("model");
  const auto threads = static_cast<int>(arguments.integer("threads", 0, 4096));
  if (!std::filesystem::exists(path)) {
    throw Error(Status::not_found, fmt::format("no model file {}", path.string()));
  }
  if (arguments.has("json")) require_writable(arguments.text("json"));

  const KokkosSession session(threads);
  const std::shared_ptr<const Model> model = Model::load(path.string());
  std::string name = arguments.text_or("domain", model->provenance("domain"));
  if (name.empty()) throw UsageError(fmt::format("{} does not name its domain: give --domain", path.string()));
  const Domain domain = load_domain(name);
  const std::string trained_with = model->provenance("domain_digest");
  if (!trained_with.empty() && trained_with != domain.digest && !arguments.flag("quiet")) {
    fmt::print(stderr, "note: domain file {} differs from the one that the model was trained with\n",
               domain.file.string());
  }
  const auto same = [&](Role role, const std::vector<VariableInfo>& known) {
    const std::vector<Variable> declared = domain.layout.with_role(role);
    return std::equal(declared.begin(), declared.end(), known.begin(), known.end(),
                      [&](const Variable& a, const VariableInfo& b) {
                        return a.name == b.name && a.units == b.units && domain.layout.elements(a) == b.elements;
                      });
  };
  if (!same(Role::input, model->inputs()) || !same(Role::output, model->outputs())) {
    throw Error(Status::shape_mismatch,
                fmt::format("domain '{}' and model {} differ in their variables, units or numbers of elements (lavoisier "
                            "inspect {} lists them)",
                            domain.name, path.string(), path.string()));
  }
  const ElementCoordinates levels = coordinates_of(ModelFile::read(path), fmt::format("\"{}\"", path.string()));
  return storage == "f64" ? generate<double>(arguments, model, domain, levels, Storage::f64)
                          : generate<float>(arguments, model, domain, levels, Storage::f32);
}

}  // namespace lavoisier::cli
