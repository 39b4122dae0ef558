// Does holding laws exactly cost a generative model of images its quality? Trains generators on Fashion-MNIST, with
// their laws held, and their twins: the same network, inputs, seeds and epochs without them. Draws as many images as
// there are test images, each given its test image's numbers, and appends what it found to a file, one JSON object a
// line. Laws, generators, variants and seeds may be lists (a,b): all combinations are run, seed by seed.
// docs/image-benchmark.md has the protocol, the commands and the results. Minutes to hours; scripts/bench generators
// (bench_generators.cpp) runs a short version of the same code.
//
//   study_images [--laws=brightness|blocks] [--generator=vae|ladder_vae|ddpm|flow_matching]
//                [--variant=conditional|ambient|none] [--seed=0] [--training=20000] [--samples=10000] [--epochs=10]
//                [--batch=128] [--rate=1e-3] [--hidden=400] [--latents=20] [--deviation=shared] [--floor=0.02] [--widths=8,16] [--steps=50]
//                [--threads=1] [--output=results/images.jsonl] [--pictures=FOLDER]
//   study_images --summarise=FILE     prints its tables: means and deviations over seeds, paired differences to the
//   twin study_images --quick --output=FILE  every generator with few images; fails unless each model holds its laws
//   (and no
//                                     twin does)
// LAVOISIER_FASHION_MNIST: folder of the images (default: Debian's package dataset-fashion-mnist). Exit code 77: none
// there.

#include "images/image_study.hpp"
#include "study_options.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace {

using namespace lavoisier;
using namespace lavoisier::bench;
using nlohmann::json;

struct Settings {
  ImageRun run;
  std::vector<std::string> laws = {"brightness"}, generators = {"vae"}, variants = {"conditional"}, seeds = {"0"};
  std::filesystem::path output = "results/images.jsonl", pictures, summarise;
  bool quick = false;
};

Settings settings_from(int count, char** words) {
  Settings settings;
  ImageRun& run = settings.run;
  const std::map<std::string, std::function<void(const std::string&)>> known = {
      {"laws", [&](const std::string& v) { settings.laws = words_of(v); }},
      {"generator", [&](const std::string& v) { settings.generators = words_of(v); }},
      {"variant", [&](const std::string& v) { settings.variants = words_of(v); }},
      {"seed", [&](const std::string& v) { settings.seeds = words_of(v); }},
      {"training", [&](const std::string& v) { run.training = std::stoll(v); }},
      {"samples", [&](const std::string& v) { run.samples = std::stoll(v); }},
      {"epochs", [&](const std::string& v) { run.epochs = std::stoll(v); }},
      {"batch", [&](const std::string& v) { run.batch = std::stoll(v); }},
      {"rate", [&](const std::string& v) { run.learning_rate = std::stod(v); }},
      {"hidden", [&](const std::string& v) { run.hidden = numbers_of(v); }},
      {"latents", [&](const std::string& v) { run.latents = std::stoll(v); }},
      {"deviation", [&](const std::string& v) { run.deviation = v; }},
      {"floor", [&](const std::string& v) { run.floor = std::stod(v); }},
      {"widths", [&](const std::string& v) { run.widths = numbers_of(v); }},
      {"steps", [&](const std::string& v) { run.steps = numbers_of(v); }},
      {"threads", [&](const std::string& v) { run.threads = std::stoi(v); }},
      {"output", [&](const std::string& v) { settings.output = v; }},
      {"pictures", [&](const std::string& v) { settings.pictures = v; }},
      {"summarise", [&](const std::string& v) { settings.summarise = v; }},
      {"quick", [&](const std::string&) { settings.quick = true; }},
  };
  read_options(count, words, known);
  for (const std::string& variant : settings.variants)
    if (variant != "conditional" && variant != "ambient" && variant != "none")
      throw Error(Status::invalid_argument, "variant: no '" + variant + "'; legal: conditional, ambient, none");
  return settings;
}

json by_steps(const std::map<std::int64_t, double>& values) {
  json made = json::object();
  for (const auto& [steps, value] : values) made[std::to_string(steps)] = value;
  return made;
}

json record(const ImageRun& run, const ImageScores& scores, const ImageStudy& study, double floor, double accuracy) {
  json made = {
      {"laws", to_string(run.laws)}, {"generator", run.generator}, {"variant", run.variant}, {"seed", run.seed}};
  made["training_images"] = run.training;
  made["epochs"] = run.epochs;
  made["batch"] = run.batch;
  made["learning_rate"] = run.learning_rate;
  made["hidden"] = run.hidden;
  made["latents"] = run.latents;
  made["deviation"] = run.deviation;
  made["floor"] = run.floor;
  made["widths"] = run.widths;
  made["samples"] = run.samples;
  made["threads"] = run.threads;
  made["weights"] = scores.weights;
  made["best_epoch"] = scores.best_epoch;
  made["validation_loss"] = scores.validation_loss;
  made["evidence_bound"] = std::isnan(scores.evidence_bound) ? json() : json(scores.evidence_bound);
  made["frechet"] = by_steps(scores.frechet);
  made["frechet_projected"] = by_steps(scores.frechet_projected);
  made["frechet_floor"] = floor;
  made["sampling_seconds"] = by_steps(scores.sampling_seconds);
  made["training_seconds"] = scores.training_seconds;
  made["max_relative_violation"] = scores.max_relative_violation;
  made["classifier_digest"] = study.classifier().digest();
  made["classifier_accuracy"] = accuracy;
  return made;
}

/// Images side by side as a PGM file.
void write_picture(const std::filesystem::path& path, const RowMatrix& images) {
  std::string text = "P5\n" + std::to_string(images.rows() * image_side) + " " + std::to_string(image_side) + "\n255\n";
  for (Eigen::Index y = 0; y < image_side; ++y)
    for (Eigen::Index image = 0; image < images.rows(); ++image)
      for (Eigen::Index x = 0; x < image_side; ++x)
        text +=
            static_cast<char>(std::clamp(std::floor((images(image, y * image_side + x) + 1.0) * 128.0), 0.0, 255.0));
  std::filesystem::create_directories(path.parent_path());
  write_file_atomically(path, text);
}

bool lawful(const ImageRun& run, const ImageScores& scores) {
  const bool holds = scores.max_relative_violation <= tolerances::identity::relative_fp64;
  bool finite = true;
  for (const auto& [steps, value] : scores.frechet) finite = finite && std::isfinite(value);
  return finite && (run.variant == "none" ? scores.max_relative_violation > 1e-6 : holds);
}

void print(const ImageRun& run, const ImageScores& scores) {
  std::printf("%s %s %s seed %llu: violation %.2e, evidence bound %.2f, Frechet", to_string(run.laws),
              run.generator.c_str(), run.variant.c_str(), static_cast<unsigned long long>(run.seed),
              scores.max_relative_violation, scores.evidence_bound);
  for (const auto& [steps, value] : scores.frechet) std::printf(" %lld: %.3f", static_cast<long long>(steps), value);
  std::printf(" (%.0f s to train)\n", scores.training_seconds);
  std::fflush(stdout);
}

struct Spread {
  double mean = 0.0, deviation = 0.0;
  explicit Spread(const std::vector<double>& values) {
    for (const double value : values) mean += value / static_cast<double>(values.size());
    for (const double value : values) deviation += (value - mean) * (value - mean);
    deviation = values.size() > 1 ? std::sqrt(deviation / static_cast<double>(values.size() - 1)) : std::nan("");
  }
};

/// A row each figure of a generator: the models', the twins', and the paired differences over seeds.
void summarise(const std::filesystem::path& path) {
  std::map<std::string, std::map<std::string, std::map<std::uint64_t, double>>> table;  // figure, variant, seed
  std::map<std::string, double> violation;
  std::ifstream file(path);
  if (!file) throw Error(Status::not_found, path.string() + " can't be read");
  for (std::string text; std::getline(file, text);) {
    const json line = json::parse(text);
    const std::string variant = line["variant"],
                      name = line["laws"].get<std::string>() + " " + line["generator"].get<std::string>();
    const std::uint64_t seed = line["seed"];
    for (const auto& [steps, value] : line["frechet"].items())
      table[name + " Frechet" + (steps == "0" ? "" : ", " + steps + " steps")][variant][seed] = value;
    for (const auto& [steps, value] : line["frechet_projected"].items())
      table[name + " Frechet" + (steps == "0" ? "" : ", " + steps + " steps")]["projected twin"][seed] = value;
    if (!line["evidence_bound"].is_null()) table[name + " evidence bound"][variant][seed] = line["evidence_bound"];
    violation[variant] = std::max(violation[variant], line["max_relative_violation"].get<double>());
  }
  std::puts(
      "| figure | variant | mean | deviation | difference to the twin, same seeds | seeds "
      "|\n|---|---|---|---|---|---|");
  for (const auto& [figure, variants] : table)
    for (const auto& [variant, seeds] : variants) {
      std::vector<double> values, differences;
      for (const auto& [seed, value] : seeds) {
        values.push_back(value);
        const auto twin = variants.find("none");
        if (variant == "none" || twin == variants.end()) continue;
        if (const auto other = twin->second.find(seed); other != twin->second.end())
          differences.push_back(value - other->second);
      }
      const Spread own(values), paired(differences);
      std::printf("| %s | %s | %.4g | %.2g | ", figure.c_str(), variant.c_str(), own.mean, own.deviation);
      if (!differences.empty()) std::printf("%+.3g (%.2g)", paired.mean, paired.deviation);
      std::printf(" | %zu |\n", values.size());
    }
  for (const auto& [variant, largest] : violation)
    std::printf("largest relative violation, %s: %.2e\n", variant.c_str(), largest);
}

/// Every generator and variant with few images.
bool quick(const Settings& settings) {
  const ImageStudy study(1200, 100, {.epochs = 2}, "");
  const double floor = study.frechet_floor(100), accuracy = study.accuracy();
  bool good = true;
  for (const ImageLaws laws : {ImageLaws::brightness, ImageLaws::blocks})
    for (const char* generator : {"vae", "ladder_vae", "ddpm", "flow_matching"})
      for (const char* variant : {"conditional", "ambient", "none"}) {
        if (std::string(variant) == "ambient" && std::string(generator) != "ddpm") continue;
        ImageRun run{.laws = laws, .generator = generator, .variant = variant};
        run.training = 200;
        run.validation = 50;
        run.samples = 100;
        run.epochs = 2;
        run.batch = 50;
        run.hidden = {32};
        run.latents = 4;
        run.widths = {4, 4};
        run.steps = {2, 4};
        run.likelihood_draws = 1;
        const ImageScores scores = study.run(run);
        print(run, scores);
        append(settings.output, record(run, scores, study, floor, accuracy));
        if (lawful(run, scores)) continue;
        good = false;
        std::puts("  this is no good: a model must hold its laws, its twin must not, and figures must be numbers");
      }
  return good;
}

}  // namespace

int main(int count, char** words) {
  try {
    const Settings settings = settings_from(count, words);
    if (!settings.summarise.empty()) {
      summarise(settings.summarise);
      return 0;
    }
    if (!std::filesystem::exists(image_folder())) {
      std::fprintf(stderr,
                   "there is no %s: install dataset-fashion-mnist, or name a folder by LAVOISIER_FASHION_MNIST\n",
                   image_folder().c_str());
      return 77;
    }
    InitializeOptions options;
    options.threads = settings.run.threads;
    initialize(options);
    set_training_threads(settings.run.threads);
    bool good = true;
    if (settings.quick) {
      good = quick(settings);
    } else {
      const ImageStudy study(60000, 10000, {}, "results/image-classifier.bin");
      const double accuracy = study.accuracy(), floor = study.frechet_floor(settings.run.samples);
      std::printf(
          "classifier: test accuracy %.4f, digest %.16s; Frechet distance of %lld training and test images %.4f\n",
          accuracy, study.classifier().digest().c_str(), static_cast<long long>(settings.run.samples), floor);
      std::fflush(stdout);
      for (const std::string& seed : settings.seeds)
        for (const std::string& laws : settings.laws)
          for (const std::string& generator : settings.generators)
            for (const std::string& variant : settings.variants) {
              if (variant == "ambient" && generator != "ddpm") continue;
              ImageRun run = settings.run;
              run.laws = image_laws_from(laws);
              run.generator = generator;
              run.variant = variant;
              run.seed = std::stoull(seed);
              const ImageScores scores = study.run(run);
              print(run, scores);
              append(settings.output, record(run, scores, study, floor, accuracy));
              good = good && lawful(run, scores);
              if (settings.pictures.empty()) continue;
              std::string name = laws;
              for (const std::string& word : {generator, variant, seed}) name += "-" + word;
              write_picture(settings.pictures / (name + ".pgm"), scores.shown);
              write_picture(settings.pictures / "test.pgm", study.test().pixels.topRows(16));
            }
    }
    finalize();
    return good ? 0 : 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "study_images: %s\n", error.what());
    return 2;
  }
}
