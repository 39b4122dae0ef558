#include "artefact.hpp"
#include "closure_statistics.hpp"
#include "commands.hpp"
#include "csv_ensemble.hpp"
#include "describe.hpp"
#include "terminal.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/image_reader.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/monitor_history.hpp>
#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

bool is_netcdf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(Status::not_found, fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
  char head[8] = {};
  file.read(head, sizeof head);
  return std::memcmp(head, "CDF", 3) == 0 || std::memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0;
}

/// IDX, gzip, PNG or JPEG by the first bytes, a batch of CIFAR by its name, or a folder.
bool is_images(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path) || path.extension() == ".bin") return true;
  unsigned char head[4] = {};
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(head), sizeof head);
  for (const char* start : {"\x1f\x8b", "\x89PNG", "\xff\xd8\xff"})
    if (std::memcmp(head, start, std::strlen(start)) == 0) return true;
  return head[0] == 0 && head[1] == 0 && head[2] >= 0x08 && head[2] <= 0x0E && head[3] > 0;
}

Table graph_table(const ModelFile& model, const std::vector<GraphOperation>& nodes) {
  Table table({"operation", "inputs", "outputs", "tensors", "attributes"});
  for (std::size_t column = 1; column < 5; ++column) table.left(column);
  for (const GraphOperation& op : nodes) {
    std::string tensors, attributes;
    for (const auto& [operand, name] : op.tensors) {
      std::string shape;
      for (std::int64_t extent : model.tensor(name).shape) shape += (shape.empty() ? "" : "x") + std::to_string(extent);
      tensors += (tensors.empty() ? "" : ", ") + fmt::format("{} [{}]", operand, shape);
    }
    for (const auto& [key, value] : op.attributes) attributes += (attributes.empty() ? "" : ", ") + key + "=" + value;
    table.add({op.op, fmt::format("{}", fmt::join(op.inputs, ", ")), fmt::format("{}", fmt::join(op.outputs, ", ")),
               tensors, attributes});
  }
  return table;
}

ordered_json operations_json(const std::vector<GraphOperation>& nodes) {
  ordered_json json = ordered_json::array();
  for (const GraphOperation& op : nodes) json.push_back(op.op);
  return json;
}

int inspect_model(const Arguments& arguments, const std::filesystem::path& path) {
  const ModelFile model = ModelFile::read(path);
  const ModelDescription& d = model.description;
  const ElementCoordinates coordinates = coordinates_of(model, path.string());
  std::int64_t weights = 0, bytes = 0;
  for (const Tensor& tensor : model.tensors()) {
    bytes += static_cast<std::int64_t>(tensor.bytes.size());
    if (tensor.type == TensorType::f32) weights += tensor.elements();
  }
  if (!arguments.flag("quiet")) {
    fmt::print("{}: model file, format version {}, {} weights, {} tensors, {} bytes\ndigest holds: {}\n\nVariables\n{}",
               bold(path.string()), model.version(), weights, model.tensors().size(),
               std::filesystem::file_size(path), model.digest(), describe_variables(d.layout));
    fmt::print("\nLaws\n{}\nHeads\n", describe_laws(d.layout, d.laws, d.constants));
    for (const Head& head : d.heads) {
      fmt::print("  {}: {} over {}; strategy {}\n", head.name, head.family, fmt::join(head.variables, ", "), head.strategy);
    }
    fmt::print("\nGraph\n{}", graph_table(model, d.graph).text());
    for (const auto& [name, nodes] : d.subgraphs) {
      fmt::print("\nSubgraph {}\n{}", name, graph_table(model, nodes).text());
    }
    fmt::print("\nTraining ranges\n");
    if (model.has_tensor("input.minimum") && model.has_tensor("input.maximum")) {
      const auto low = model.tensor("input.minimum").f64(), high = model.tensor("input.maximum").f64();
      for (const Variable& v : d.layout.with_role(Role::input)) {
        const auto at = static_cast<std::size_t>(d.layout.offset(v.name));
        const auto count = static_cast<std::size_t>(d.layout.elements(v));
        fmt::print("  {}: {:g} to {:g} {}\n", v.name, *std::min_element(&low[at], &low[at] + count),
                   *std::max_element(&high[at], &high[at] + count), v.units);
      }
    }
    if (!coordinates.empty()) fmt::print("\nCoordinates\n");
    for (const ElementCoordinate& one : coordinates)
      fmt::print("  {}: {:g}{}\n", one.dimension, fmt::join(one.values, ", "),
                 one.units.empty() || one.units == "1" ? "" : " " + one.units);
    fmt::print("\nProvenance\n");
    for (const auto& [key, value] : d.provenance) fmt::print("  {}: {}\n", key, value);
  }
  ordered_json json = ordered_json::parse(describe_json(d.layout, d.laws, d.constants));
  json["kind"] = "model";
  json["sha256"] = model.digest();
  json["digest_holds"] = true;
  json["weights"] = weights;
  json["tensor_bytes"] = bytes;
  json["heads"] = ordered_json::array();
  for (const Head& head : d.heads) {
    json["heads"].push_back({{"name", head.name}, {"family", head.family}, {"strategy", head.strategy}, {"variables", head.variables}});
  }
  json["graph"] = operations_json(d.graph);
  json["subgraphs"] = ordered_json::object();
  for (const auto& [name, nodes] : d.subgraphs) json["subgraphs"][name] = operations_json(nodes);
  json["coordinates"] = ordered_json::object();
  for (const ElementCoordinate& one : coordinates)
    json["coordinates"][one.dimension] = {{"units", one.units}, {"values", one.values}};
  json["provenance"] = d.provenance;
  write_json(arguments, json.dump(2) + "\n");
  return exit_ok;
}

int inspect_data(const Arguments& arguments, const std::filesystem::path& path) {
  const NetcdfReader reader(path);
  const bool quiet = arguments.flag("quiet");
  Table table({"variable", "units", "shape", "missing", "least", "mean", "most", "meaning"});
  table.left(1);
  table.left(2);
  table.left(7);
  ordered_json json;
  json["kind"] = "data";
  json["variables"] = ordered_json::array();
  for (const std::string& name : reader.variable_names()) {
    const FileVariable v = reader.variable(name);
    std::string shape;
    std::int64_t size = 1;
    for (std::size_t i = 0; i < v.extents.size(); ++i) {
      shape += (i == 0 ? "" : " x ") + fmt::format("{} ({})", v.dimensions[i], v.extents[i]);
      size *= v.extents[i];
    }
    std::int64_t missing = 0;
    double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0.0;
    bool numbers = true;
    try {
      constexpr std::int64_t block = 1 << 18;
      for (std::int64_t first = 0; first < size; first += block) {
        for (double x : reader.read(name, first, std::min(block, size - first))) {
          if (std::isnan(x)) {
            ++missing;
            continue;
          }
          least = std::min(least, x);
          most = std::max(most, x);
          sum += x;
        }
      }
    } catch (const Error& error) {
      if (error.status() == Status::io_error) throw;
      numbers = false;  // text and compound variables have no range
    }
    const bool any = numbers && size > missing;
    const double mean = sum / static_cast<double>(std::max<std::int64_t>(size - missing, 1));
    table.add({name, v.units, shape, numbers ? fmt::format("{}", missing) : "-", any ? significant(least, 6) : "-",
               any ? significant(mean, 6) : "-", any ? significant(most, 6) : "-",
               v.long_name.empty() ? v.standard_name : v.long_name});
    ordered_json entry = {{"name", name}, {"units", v.units}, {"dimensions", v.dimensions}, {"extents", v.extents}, {"missing", missing}};
    if (any) entry.update({{"minimum", least}, {"mean", mean}, {"maximum", most}});
    json["variables"].push_back(entry);
  }
  if (!quiet) {
    fmt::print("{}: NetCDF data set, sha256 {}\n{}", bold(path.string()), sha256_of_file(path), table.text());
    const auto attributes = reader.global_attributes();
    if (!attributes.empty()) fmt::print("\nAttributes\n");
    for (const auto& [key, value] : attributes) fmt::print("  {}: {}\n", key, value);
  }
  bool pass = true;
  if (arguments.has("domain")) {
    const Domain domain = load_domain(arguments.text("domain"));
    const FileClosure closure = close_file(domain, path);
    const std::string text = closure_table(closure, &pass);
    if (!quiet) {
      fmt::print("\nClosure under {}: {} complete cells of {}, {} with some values missing\n{}", domain.name,
                 closure.complete, closure.cells, closure.incomplete, text);
    }
    json["closure"] = ordered_json::parse(closure_json(closure));
    json["pass"] = pass;
  }
  write_json(arguments, json.dump(2) + "\n");
  return pass ? exit_ok : exit_check;
}

int inspect_table(const Arguments& arguments, const std::filesystem::path& path) {
  std::optional<Domain> domain;
  if (arguments.has("domain")) domain = load_domain(arguments.text("domain"));
  const CsvReader reader(path, domain && domain->table ? *domain->table : CsvOptions());
  Table table({"column", "missing", "least", "mean", "most"});
  ordered_json json;
  json["kind"] = "table";
  json["rows"] = reader.rows();
  json["variables"] = ordered_json::array();
  for (std::size_t column = 0; column < reader.columns().size(); ++column) {
    const std::string& name = reader.columns()[column];
    std::int64_t missing = 0;
    double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0.0;
    try {
      constexpr std::int64_t block = 1 << 16;
      for (std::int64_t first = 0; first < reader.rows(); first += block) {
        for (double x : reader.read({column}, first, std::min(block, reader.rows() - first))) {
          if (std::isnan(x)) {
            ++missing;
            continue;
          }
          least = std::min(least, x);
          most = std::max(most, x);
          sum += x;
        }
      }
    } catch (const Error& error) {
      if (error.status() != Status::invalid_format) throw;
      table.add({name, "text", "-", "-", "-"});
      json["variables"].push_back({{"name", name}, {"text", error.what()}});
      continue;
    }
    const bool any = reader.rows() > missing;
    const double mean = sum / static_cast<double>(std::max<std::int64_t>(reader.rows() - missing, 1));
    table.add({name, fmt::format("{}", missing), any ? significant(least, 6) : "-", any ? significant(mean, 6) : "-",
               any ? significant(most, 6) : "-"});
    ordered_json entry = {{"name", name}, {"missing", missing}};
    if (any) entry.update({{"minimum", least}, {"mean", mean}, {"maximum", most}});
    json["variables"].push_back(entry);
  }
  const bool quiet = arguments.flag("quiet");
  if (!quiet) {
    fmt::print("{}: CSV table of {} rows, sha256 {}\n{}", bold(path.string()), reader.rows(), sha256_of_file(path), table.text());
  }
  bool pass = true;
  if (domain) {
    const FileClosure closure = close_file(*domain, path);
    const std::string text = closure_table(closure, &pass);
    if (!quiet) {
      fmt::print("\nClosure under {}: {} complete rows of {}\n{}", domain->name, closure.complete, closure.cells, text);
    }
    json["closure"] = ordered_json::parse(closure_json(closure));
    json["pass"] = pass;
  }
  write_json(arguments, json.dump(2) + "\n");
  return pass ? exit_ok : exit_check;
}

int convert_log(const Arguments& arguments, const std::filesystem::path& path) {
  if (is_netcdf(path)) throw UsageError(fmt::format("--netcdf is for the log of a monitor (CSV); {} is NetCDF", path.string()));
  const std::filesystem::path output = arguments.text("netcdf");
  const MonitorHistory found = write_monitor_history(
      path, output,
      {{"title", "Log of a monitor: an emulator beside its host's own scheme"},
       {"source", fmt::format("lavoisier {}; {} sha256:{}", version(), path.filename().string(), sha256_of_file(path))},
       {"history", fmt::format("{} {}", timestamp(), arguments.command_line())},
       {"lavoisier_version", version()}});
  if (!arguments.flag("quiet")) {
    fmt::print("{}: {} steps, {} to {}; {} laws{}, {} outputs\n", path.string(), found.steps, found.first_step, found.last_step,
               found.laws.size(), found.has_host ? " (the host's own scheme too)" : "", found.outputs.size());
    if (found.replaced > 0)
      fmt::print("  {} further steps were written again by a run that was resumed before them; its rows count\n", found.replaced);
    fmt::print("wrote {}\n", output.string());
  }
  ordered_json json;
  json["kind"] = "monitor_log";
  json["steps"] = found.steps;
  json["first_step"] = found.first_step;
  json["last_step"] = found.last_step;
  json["replaced_steps"] = found.replaced;
  json["laws"] = found.laws;
  json["outputs"] = found.outputs;
  json["netcdf"] = output.string();
  write_json(arguments, json.dump(2) + "\n");
  return exit_ok;
}

int inspect_images(const Arguments& arguments, const std::filesystem::path& path) {
  const ImageReader reader(path);
  const auto channels = static_cast<std::size_t>(reader.shape().channels), pixels = static_cast<std::size_t>(reader.shape().numbers()) / channels;
  std::vector<double> sum(channels, 0.0), least(channels, 255.0), most(channels, 0.0);
  const std::int64_t block = std::clamp<std::int64_t>((std::int64_t{1} << 22) / reader.shape().numbers(), 1, 4096);
  for (std::int64_t first = 0; first < reader.images(); first += block) {
    const std::vector<std::uint8_t> bytes = reader.read(first, std::min(block, reader.images() - first));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::size_t c = i / pixels % channels;
      sum[c] += bytes[i];
      least[c] = std::min(least[c], static_cast<double>(bytes[i]));
      most[c] = std::max(most[c], static_cast<double>(bytes[i]));
    }
  }
  ordered_json json;
  json["kind"] = "images";
  json["format"] = reader.format();
  json["images"] = reader.images();
  json["channels"] = reader.shape().channels;
  json["height"] = reader.shape().height;
  json["width"] = reader.shape().width;
  json["labels"] = reader.labels();
  json["variables"] = ordered_json::array();
  Table table({"channel", "least", "mean", "most"});
  static const char* const colours[] = {"red", "green", "blue"};
  for (std::size_t c = 0; c < channels && reader.images() > 0; ++c) {
    const std::string name = channels == 1 ? "grey" : colours[c];
    const double mean = sum[c] / static_cast<double>(pixels) / static_cast<double>(reader.images());
    table.add({name, significant(least[c], 6), significant(mean, 6), significant(most[c], 6)});
    json["variables"].push_back({{"name", name}, {"minimum", least[c]}, {"mean", mean}, {"maximum", most[c]}});
  }
  const std::vector<std::string> labels = reader.labels();
  const bool quiet = arguments.flag("quiet");
  if (!quiet) {
    fmt::print("{}: {} images of {} ({}), {}, sha256 {}\n{}", bold(path.string()), reader.images(), to_string(reader.shape()),
               reader.format(), labels.empty() ? "no labels" : fmt::format("{}", fmt::join(labels, ", ")), sha256_of_data(path),
               table.text());
  }
  bool pass = true;
  if (arguments.has("domain")) {
    const Domain domain = load_domain(arguments.text("domain"));
    const FileClosure closure = close_file(domain, path);
    const std::string text = closure_table(closure, &pass);
    if (!quiet) fmt::print("\nClosure under {}: {} images\n{}", domain.name, closure.cells, text);
    json["closure"] = ordered_json::parse(closure_json(closure));
    json["pass"] = pass;
  }
  write_json(arguments, json.dump(2) + "\n");
  return pass ? exit_ok : exit_check;
}

}  // namespace

const Command& inspect_command() {
  static const Command command = {
      "inspect",
      "says what a model file or data set holds, and whether its digest holds",
      "lavoisier inspect ocean.safetensors",
      "file",
      {
          {"file", "FILE", "model file, NetCDF file, CSV table, or file or folder of images (may stand alone)", "", false},
          {"domain", "NAME|FILE", "for a data set: how well it closes under this domain's laws", "", false},
          {"netcdf", "FILE", "of the log of a host's monitor (CSV): write it as NetCDF-4", "", false},
      }};
  return command;
}

int run_inspect(const Arguments& arguments) {
  const std::filesystem::path path = arguments.text("file");
  if (arguments.has("netcdf")) {
    if (arguments.has("domain")) throw UsageError("--netcdf and --domain: a log has no domain");
    return convert_log(arguments, path);
  }
  if (is_netcdf(path)) return inspect_data(arguments, path);
  if (is_csv(path)) return inspect_table(arguments, path);
  if (is_images(path)) return inspect_images(arguments, path);
  if (arguments.has("domain")) throw UsageError("--domain is for data sets; a model file has laws of its own");
  return inspect_model(arguments, path);
}

}  // namespace lavoisier::cli
