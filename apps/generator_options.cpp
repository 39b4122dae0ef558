#include "generator_options.hpp"

#include "training_options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lavoisier::cli {
namespace {

const std::vector<std::string> latent_generators = {"vae", "ladder_vae"};
const std::vector<std::string> denoisers = {"ddpm", "flow_matching"};
const std::vector<std::string> of_graphs = {"mpnn", "graph_vae"};

std::vector<std::string> all_generators() {
  std::vector<std::string> names = {"mlp", "spectral_temporal"};
  names.insert(names.end(), latent_generators.begin(), latent_generators.end());
  names.insert(names.end(), denoisers.begin(), denoisers.end());
  names.insert(names.end(), of_graphs.begin(), of_graphs.end());
  return names;
}

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

const std::vector<Option>& generator_options() {
  static const std::vector<Option> options = {
      {"model", "NAME", fmt::format("generator: {}", fmt::join(all_generators(), ", ")), "mlp", false},
      {"head", "NAME",
       "mlp, of its outputs: gaussian; mixed (positive and Gaussian), gamma (positive, shares of the laws' sums) or "
       "poisson (counts)", "gaussian", false},
      {"positive", "NAME=LAW",
       "head mixed: a positive output (rain: all its elements, or rain[2]) and its law: log_normal, gamma, "
       "hurdle_log_normal or hurdle_gamma (0 with a probability)", "", true},
      {"backbone", "NAME", "mlp (dense layers), unet or column", "mlp", false},
      {"field-size", "H,W", "unet: rows and columns of the outputs' fields; column: 1 and the number of levels", "", true},
      {"channels", "N,N", "unet: channels at each resolution; column: one number; spectral_temporal: features a series", "16,32", true},
      {"blocks", "N", "unet, column: residual blocks at each resolution; spectral_temporal: blocks", "1", false},
      {"radius", "N", "unet, column: kernels are 2 N + 1 wide", "1", false},
      {"series", "N", "spectral_temporal: how many; the first inputs are a window, lags x series", "", false},
      {"window", "N", "spectral_temporal: lags", "", false},
      {"state", "N", "mpnn, graph_vae: numbers that a node carries", "32", false},
      {"rounds", "N", "mpnn, graph_vae: of messages between nodes", "3", false},
      {"directed", "", "mpnn, graph_vae: messages run from an edge's first node to its second alone", "", false},
      {"latents", "N", "vae, graph_vae (of each node): how many; ladder_vae: two or more numbers, from the outputs up", "8", true},
      {"kl-weight", "W", "vae, ladder_vae, graph_vae: of the divergence while training", "1", false},
      {"kl-warm-up", "N", "vae, ladder_vae, graph_vae: epochs over which that weight grows", "0", false},
      {"steps", "N", "ddpm, flow_matching: of sampling", "50", false},
      {"sampler", "NAME", "ddpm: ddpm (ancestral) or ddim", "ddpm", false},
      {"prediction", "NAME", "ddpm: what the network says: velocity, noise or data", "velocity", false},
      {"projection", "NAME", "ddpm under conditional: null_space or ambient", "null_space", false},
      {"frequencies", "N", "ddpm, flow_matching: of the embedded time", "16", false},
  };
  return options;
}

void read_generator(const Arguments& arguments, TrainingOptions& options) {
  GeneratorOptions& generator = options.generator;
  generator.name = arguments.choice("model", all_generators());
  const bool on_graphs = among(of_graphs, generator.name);
  const bool latent = among(latent_generators, generator.name) || generator.name == "graph_vae";
  const bool denoiser = among(denoisers, generator.name);
  const auto only = [&](bool has, std::initializer_list<const char*> names, const std::string& who) {
    for (const char* name : names)
      if (!has && arguments.given(name))
        throw UsageError(fmt::format("--{}: only {} has it, found --model {}", name, who, generator.name));
  };
  const bool series = generator.name == "spectral_temporal";
  only(!series && !on_graphs, {"backbone", "field-size", "radius"}, "a generator of fields (not spectral_temporal, mpnn or graph_vae)");
  only(!on_graphs, {"channels", "blocks"}, "a generator of fields (not mpnn or graph_vae)");
  only(on_graphs, {"state", "rounds", "directed"}, "mpnn or graph_vae");
  only(series, {"series", "window"}, "spectral_temporal");
  only(latent, {"latents", "kl-weight", "kl-warm-up"}, "vae, ladder_vae or graph_vae");
  only(denoiser, {"steps", "frequencies"}, "ddpm or flow_matching");
  only(generator.name == "ddpm", {"sampler", "prediction"}, "ddpm");
  only(generator.name == "mlp", {"head", "positive"}, "mlp");
  options.head.family = arguments.choice("head", {"gaussian", "mixed", "gamma", "poisson"});
  if (arguments.given("positive") && options.head.family != "mixed")
    throw UsageError(fmt::format("--positive: only --head mixed has it, found --head {}", options.head.family));
  if (arguments.has("positive")) options.head.positive = arguments.words("positive");
  only(denoiser, {"projection"}, "ddpm or flow_matching");

  FieldOptions& fields = generator.fields;
  fields.backbone = arguments.choice("backbone", {"mlp", "unet", "column"});
  if (fields.backbone == "mlp") {
    for (const char* name : {"field-size", "channels", "blocks", "radius"})
      if (arguments.given(name) && !series) throw UsageError(fmt::format("--{}: --backbone mlp has none", name));
  } else {
    if (!arguments.has("field-size"))
      throw UsageError(fmt::format("--backbone {}: expected --field-size H,W", fields.backbone));
    const std::vector<std::int64_t> size = widths_from(arguments.words("field-size"), "--field-size");
    if (size.size() != 2) throw UsageError(fmt::format("--field-size: expected two numbers, found {}", size.size()));
    fields.height = size[0];
    fields.width = size[1];
    fields.radius = arguments.integer("radius", 0, 16);
  }
  fields.widths = widths_from(arguments.words("channels"), "--channels");
  fields.blocks = arguments.integer("blocks", 1, 1000);
  if (series) {
    for (const char* name : {"series", "window"})
      if (!arguments.has(name)) throw UsageError(fmt::format("--model spectral_temporal: expected --{} N", name));
    generator.series = arguments.integer("series", 1, 1000000);
    generator.window = arguments.integer("window", 2, 1000000);
  }
  fields.frequencies = arguments.integer("frequencies", 1, 1024);
  generator.graph.state = arguments.integer("state", 1, 4096);
  generator.graph.rounds = arguments.integer("rounds", 1, 64);
  generator.graph.directed = arguments.flag("directed");
  generator.latents = widths_from(arguments.words("latents"), "--latents");
  generator.kl_weight = arguments.number("kl-weight", 1e-9, 1e9);
  generator.kl_warm_up = arguments.integer("kl-warm-up", 0, 100000000);
  generator.steps = arguments.integer("steps", 1, 100000);
  generator.sampler = arguments.choice("sampler", {"ddpm", "ddim"});
  generator.prediction = arguments.choice("prediction", {"velocity", "noise", "data"});
  generator.projection = arguments.choice("projection", {"null_space", "ambient"});
  if (!arguments.given("loss")) {
    if (latent || on_graphs) options.loss = Loss::likelihood;
    if (denoiser) options.loss = Loss::squared_error;
    if (options.head.family != "gaussian") options.loss = Loss::likelihood;
  }
}

}  // namespace lavoisier::cli
