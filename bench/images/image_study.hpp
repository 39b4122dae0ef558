#ifndef LAVOISIER_BENCH_IMAGE_STUDY_HPP
#define LAVOISIER_BENCH_IMAGE_STUDY_HPP

#include "image_classifier.hpp"
#include "image_data.hpp"

#include <lavoisier/training.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::bench {

/// One training of one generator on Fashion-MNIST, and how it is judged.
struct ImageRun {
  ImageLaws laws = ImageLaws::brightness;
  std::string generator = "vae";        ///< vae, ladder_vae, ddpm, flow_matching
  std::string variant = "conditional";  ///< conditional, ambient (ddpm: conditional, its other projection), none
  std::uint64_t seed = 0;
  std::int64_t training = 20000, validation = 1000;  ///< images of the training file, the first and those behind them
  std::int64_t samples = 10000;  ///< of the test images: as many are drawn, each given its image's numbers
  std::int64_t epochs = 10, batch = 128;
  double learning_rate = 1e-3;
  std::vector<std::int64_t> hidden = {400}, widths = {8, 16}, steps = {50};
  std::int64_t latents = 20;
  std::string deviation = "shared";  ///< of a pixel: per_sample or shared, vae and ladder_vae
  double floor = 0.02;  ///< least deviation of a pixel, vae and ladder_vae
  int likelihood_draws = 4;
  int threads = 1;
};

/// What both a generator and its twin without laws get: the same but for the strategy.
TrainingOptions training_options(const ImageRun& run);

struct ImageScores {
  double evidence_bound = 0.0;             ///< vae, ladder_vae: nats an image, see docs/image-benchmark.md; else NaN
  std::map<std::int64_t, double> frechet;  ///< by sampling steps (0: the generator has none)
  std::map<std::int64_t, double> frechet_projected;  ///< variant none: of the samples moved orthogonally onto the laws
  std::map<std::int64_t, double> sampling_seconds;
  double max_relative_violation = 0.0;  ///< over all samples, laws and steps, as the plugin reports it
  double validation_loss = 0.0, training_seconds = 0.0;
  std::int64_t weights = 0, best_epoch = 0;
  RowMatrix shown;  ///< the first 16 samples of the most steps
};

/// The images and the classifier that all runs share.
class ImageStudy {
 public:
  ImageStudy(std::int64_t training, std::int64_t test, const ImageClassifier::Options& classifier,
             const std::filesystem::path& cache);
  ImageScores run(const ImageRun& run) const;

  /// Between as many training images (the last ones) and test images.
  double frechet_floor(std::int64_t samples) const;
  const ImageClassifier& classifier() const noexcept { return classifier_; }
  double accuracy() const { return classifier_.accuracy(test_); }
  const Images& test() const noexcept { return test_; }

 private:
  Images training_, test_;
  ImageClassifier classifier_;
};

}  // namespace lavoisier::bench

#endif
