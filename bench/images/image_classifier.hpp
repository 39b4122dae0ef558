#ifndef LAVOISIER_BENCH_IMAGE_CLASSIFIER_HPP
#define LAVOISIER_BENCH_IMAGE_CLASSIFIER_HPP

#include "image_data.hpp"

#include "network.hpp"

#include <filesystem>

namespace lavoisier::bench {

/// A small convolutional classifier of the ten classes whose last hidden layer (64 numbers) is what Frechet distances
/// are taken in: 3 x 3 convolutions of stride 2 to 16 x 14 x 14 and 32 x 7 x 7, dense to 64, to 10; silu; cross
/// entropy, Adam.
class ImageClassifier {
 public:
  static constexpr Eigen::Index features = 64, classes = 10;
  struct Options {
    std::int64_t epochs = 5, batch = 128;
    double learning_rate = 2e-3;
    std::uint64_t seed = 1;
  };
  /// Trained on the images, or read from `cache` if what is there was trained with the same options on the same images;
  /// then written there. An empty path: no cache.
  ImageClassifier(const Images& training, const Options& options, const std::filesystem::path& cache);

  /// images x 64.
  RowMatrix features_of(const Eigen::Ref<const RowMatrix>& pixels) const;
  /// The share of images whose class it names.
  double accuracy(const Images& images) const;
  const std::string& digest() const noexcept { return digest_; }  ///< of options, images and weights

 private:
  RowMatrix evaluate(const Eigen::Ref<const RowMatrix>& pixels) const;
  void train(const Images& images, const Options& options);

  detail::Network<float> network_;
  std::string digest_;
};

}  // namespace lavoisier::bench

#endif
