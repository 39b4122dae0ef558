#include "image_classifier.hpp"

#include "optimizer.hpp"
#include "plan_builder.hpp"

#include <lavoisier/files.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lavoisier::bench {
namespace {

using namespace detail;
using Eigen::Index;
using FloatRows = Eigen::Matrix<float, -1, -1, Eigen::RowMajor>;

NetworkPlan classifier_plan() {
  PlanBuilder builder("classifier.", {{"y", image_pixels}});
  FieldValue h{"y", 1, image_side, image_side};
  h = builder.silu(builder.convolution(h, 16, 1, 2));
  h = builder.silu(builder.convolution(h, 32, 1, 2));
  const std::string last = builder.silu(builder.dense(h.name, ImageClassifier::features));
  builder.concat(std::vector<std::string>{last, builder.dense(last, ImageClassifier::classes)});
  return std::move(builder).finish("features_and_scores");
}

std::string identity_of(const Images& images, const ImageClassifier::Options& options) {
  std::vector<double> numbers(images.pixels.data(), images.pixels.data() + images.pixels.size());
  numbers.insert(numbers.end(), images.labels.begin(), images.labels.end());
  return sha256(std::as_bytes(std::span<const double>(numbers))) + " epochs " + std::to_string(options.epochs) +
         " batch " + std::to_string(options.batch) + " rate " + std::to_string(options.learning_rate) + " seed " +
         std::to_string(options.seed);
}

/// Mean cross entropy of the scores behind the features, and its gradient.
double cross_entropy(const float* h, std::span<const int> labels, float* h_bar) {
  constexpr Index width = ImageClassifier::features + ImageClassifier::classes;
  const auto rows = static_cast<Index>(labels.size());
  Eigen::Map<FloatRows>(h_bar, rows, width).setZero();
  double sum = 0.0;
  for (Index row = 0; row < rows; ++row) {
    const float* scores = h + row * width + ImageClassifier::features;
    float* bar = h_bar + row * width + ImageClassifier::features;
    const double largest = *std::max_element(scores, scores + ImageClassifier::classes);
    double total = 0.0;
    for (Index k = 0; k < ImageClassifier::classes; ++k) total += std::exp(scores[k] - largest);
    const int label = labels[static_cast<std::size_t>(row)];
    for (Index k = 0; k < ImageClassifier::classes; ++k)
      bar[k] = static_cast<float>((std::exp(scores[k] - largest) / total - (k == label ? 1.0 : 0.0)) /
                                  static_cast<double>(rows));
    sum += largest + std::log(total) - scores[label];
  }
  return sum / static_cast<double>(rows);
}

}  // namespace

// The cache: the digest of what follows, the identity, the weights, a line each.
ImageClassifier::ImageClassifier(const Images& training, const Options& options, const std::filesystem::path& cache)
    : network_(classifier_plan()) {
  const std::string identity = identity_of(training, options) + "\n";
  const std::span<float> weights = network_.weights();
  const std::size_t begin = identity.size();
  std::vector<std::byte> bytes;
  if (!cache.empty() && std::filesystem::exists(cache)) {
    bytes = read_file(cache);
    if (bytes.size() == 65 + begin + weights.size_bytes()) {
      const std::string head(reinterpret_cast<const char*>(bytes.data()), 65 + begin);
      bytes.erase(bytes.begin(), bytes.begin() + 65);
      digest_ = sha256(bytes);
      if (head == digest_ + "\n" + identity) {
        std::memcpy(weights.data(), bytes.data() + begin, weights.size_bytes());
        return;
      }
    }
  }
  train(training, options);
  bytes.resize(begin + weights.size_bytes());
  std::memcpy(bytes.data(), identity.data(), begin);
  std::memcpy(bytes.data() + begin, weights.data(), weights.size_bytes());
  digest_ = sha256(bytes);
  if (cache.empty()) return;
  std::filesystem::create_directories(cache.parent_path());
  write_file_atomically(cache, digest_ + "\n" + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void ImageClassifier::train(const Images& images, const Options& options) {
  TrainingOptions training;
  training.learning_rate = options.learning_rate;
  const NetworkPlan& plan = network_.plan();
  const std::vector<double> start = initial_weights(plan, training.network, options.seed, 0, false);
  std::transform(start.begin(), start.end(), network_.weights().begin(),
                 [](double w) { return static_cast<float>(w); });
  Adam adam(plan, training);
  const std::int64_t count = images.pixels.rows(), batches = (count + options.batch - 1) / options.batch;
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const std::vector<std::int64_t> order = permutation(count, options.seed, epoch);
    for (std::int64_t batch = 0; batch < batches; ++batch, ++step) {
      const std::int64_t begin = batch * count / batches, end = (batch + 1) * count / batches;
      FloatRows x(end - begin, image_pixels);
      std::vector<int> labels;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t image = order[static_cast<std::size_t>(i)];
        x.row(i - begin) = images.pixels.row(image).cast<float>();
        labels.push_back(images.labels[static_cast<std::size_t>(image)]);
      }
      network_.differentiate(x.data(), x.rows(), [&](const float* h, std::int64_t, float* h_bar) {
        return cross_entropy(h, labels, h_bar);
      });
      adam.update(network_.weights(), network_.gradient(), step,
                  learning_rate(training, step, batches * options.epochs));
    }
  }
}

RowMatrix ImageClassifier::evaluate(const Eigen::Ref<const RowMatrix>& pixels) const {
  const FloatRows x = pixels.cast<float>();
  FloatRows h(x.rows(), features + classes);
  network_.evaluate(x.data(), x.rows(), h.data());
  return h.cast<double>();
}

RowMatrix ImageClassifier::features_of(const Eigen::Ref<const RowMatrix>& pixels) const {
  return evaluate(pixels).leftCols(features);
}

double ImageClassifier::accuracy(const Images& images) const {
  const RowMatrix scores = evaluate(images.pixels).rightCols(classes);
  Index right = 0;
  for (Index row = 0; row < scores.rows(); ++row) {
    Index best = 0;
    scores.row(row).maxCoeff(&best);
    right += best == images.labels[static_cast<std::size_t>(row)] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(scores.rows());
}

}  // namespace lavoisier::bench
