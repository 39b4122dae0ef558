// Every generator where the right answer is known (closed_form.cpp). Every generator of images with its laws and its
// twin without: Frechet distances, evidence bounds and violations of a training of seconds on Fashion-MNIST, by the code of
// study_images.cpp (whose results stand in docs/image-benchmark.md; with so few images these here only say that nothing
// broke). Times: of an epoch, and of drawing an image.

#include "closed_form.hpp"
#include "images/image_study.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>

namespace lavoisier::bench {
namespace {

const ImageStudy& study() {
  static const ImageStudy made(8000, 1000, {.epochs = 3}, "");
  return made;
}

void images(benchmark::State& state, ImageLaws laws, const char* generator, const char* variant) {
  ImageRun run{.laws = laws, .generator = generator, .variant = variant};
  const bool latent = std::string(generator) == "vae" || std::string(generator) == "ladder_vae";
  run.training = latent ? 4000 : 500;
  run.validation = 100;
  run.samples = 500;
  run.epochs = latent ? 4 : 2;
  run.hidden = {200};
  run.widths = {4, 8};
  run.steps = {10};
  run.batch = 50;
  run.likelihood_draws = 1;
  ImageScores scores;
  for (auto unused : state) {
    (void)unused;
    scores = study().run(run);
  }
  const std::string name = "generators/" + std::string(to_string(laws)) + "/" + generator + "/" + variant + "/";
  const auto [steps, frechet] = *scores.frechet.begin();
  state.counters[name + "frechet"] = frechet;
  state.counters[name + "max_relative_violation"] = scores.max_relative_violation;
  if (std::isfinite(scores.evidence_bound)) state.counters[name + "evidence_bound"] = scores.evidence_bound;
  state.counters[name + "epoch_ms"] = 1e3 * scores.training_seconds / static_cast<double>(run.epochs);
  state.counters[name + "ms_an_image"] = 1e3 * scores.sampling_seconds.at(steps) / static_cast<double>(run.samples);
}

void register_all() {
  for (const ImageLaws laws : {ImageLaws::brightness, ImageLaws::blocks})
    for (const char* generator : {"vae", "ladder_vae", "ddpm", "flow_matching"})
      for (const char* variant : {"conditional", "ambient", "none"}) {
        if (std::string(variant) == "ambient" && std::string(generator) != "ddpm") continue;
        const std::string name = std::string(to_string(laws)) + "/" + generator + "/" + variant;
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=](benchmark::State& state) { images(state, laws, generator, variant); })
            ->Iterations(1)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
}

}  // namespace
}  // namespace lavoisier::bench

int main(int count, char** words) {
  using namespace lavoisier;
  benchmark::Initialize(&count, words);
  if (benchmark::ReportUnrecognizedArguments(count, words)) return 1;
  try {
    initialize({.threads = 1});
    set_training_threads(1);
    bench::register_closed_form();
    if (std::filesystem::exists(bench::image_folder()))
      bench::register_all();
    else
      std::fprintf(stderr, "there is no %s: install dataset-fashion-mnist\n", bench::image_folder().c_str());
    benchmark::RunSpecifiedBenchmarks();
    finalize();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_generators: %s\n", error.what());
    return 2;
  }
  return 0;
}
