#ifndef LAVOISIER_BENCH_IMAGE_DATA_HPP
#define LAVOISIER_BENCH_IMAGE_DATA_HPP

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/sample_set.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::bench {

constexpr std::int64_t image_side = 28, image_pixels = image_side * image_side, block_side = 7;

/// Images as numbers in [-1, 1) with the quantisation removed: y = 2 (k + u) / 256 - 1, k the byte, u uniform in [0, 1)
/// from Philox (so that a density is one with respect to Lebesgue measure, and no pixel is constant).
struct Images {
  RowMatrix pixels;  ///< images x 784
  std::vector<int> labels;
  std::uint64_t first_id = 0;  ///< of its first image: training images count from 0, test images from 60000
};

/// The first `count` images of "train" or "t10k". LAVOISIER_FASHION_MNIST names the folder (default: Debian's package
/// dataset-fashion-mnist). Errors as IdxReader.
Images load_images(const std::string& part, std::int64_t count);
std::filesystem::path image_folder();

/// `brightness`: the mean over all pixels is given; `blocks`: the sum over each 7 x 7 block (16 laws).
enum class ImageLaws { brightness, blocks };
const char* to_string(ImageLaws laws) noexcept;
ImageLaws image_laws_from(const std::string& text);

/// Images as outputs, their laws' right-hand sides as inputs. The outputs are row-major images, cut into 112 variables
/// of 7 pixels: a law names whole variables. Training, validation and test images, in this order.
struct ImageProblem {
  ImageProblem(ImageLaws laws, const Images& images, std::int64_t training, const Images& test);
  LinearConstraints constraints() const { return {layout, laws, {}}; }

  StateLayout layout;
  std::vector<Law> laws;
  SampleSet samples;
};

}  // namespace lavoisier::bench

#endif
