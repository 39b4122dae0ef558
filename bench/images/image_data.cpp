#include "image_data.hpp"

#include <lavoisier/idx_reader.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cstdlib>

namespace lavoisier::bench {

using Eigen::Index;

std::filesystem::path image_folder() {
  const char* named = std::getenv("LAVOISIER_FASHION_MNIST");
  return named ? named : "/usr/share/datasets/fashion-mnist";
}

Images load_images(const std::string& part, std::int64_t count) {
  const IdxReader pixels(image_folder() / (part + "-images-idx3-ubyte.gz"));
  const IdxReader labels(image_folder() / (part + "-labels-idx1-ubyte.gz"));
  require_same_items(pixels, labels);
  if (pixels.item_elements() != image_pixels)
    throw Error(Status::shape_mismatch, pixels.path().string() + ": expected images of 784 pixels, found " +
                                            std::to_string(pixels.item_elements()));
  count = std::min(count, pixels.items());
  Images images;
  images.first_id = part == "train" ? 0 : 60000;
  const std::vector<double> bytes = pixels.read(0, count), words = labels.read(0, count);
  images.pixels.resize(count, image_pixels);
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < image_pixels; ++j) {
      const random::Address at{.column = images.first_id + static_cast<std::uint64_t>(i),
                               .element = static_cast<std::uint64_t>(j)};
      const double u = random::uniform_open_right(random::words({784, 0}, at)[0]);
      images.pixels(i, j) = 2.0 * (bytes[static_cast<std::size_t>(i * image_pixels + j)] + u) / 256.0 - 1.0;
    }
  for (const double word : words) images.labels.push_back(static_cast<int>(word));
  return images;
}

const char* to_string(ImageLaws laws) noexcept { return laws == ImageLaws::brightness ? "brightness" : "blocks"; }

ImageLaws image_laws_from(const std::string& text) {
  for (const ImageLaws laws : {ImageLaws::brightness, ImageLaws::blocks})
    if (text == to_string(laws)) return laws;
  throw Error(Status::invalid_argument, "laws: no '" + text + "'; legal: brightness, blocks");
}

namespace {

std::string segment(std::int64_t row, std::int64_t block) {
  return "row" + std::to_string(row) + "_" + std::to_string(block);
}

Law made_law(const std::string& name, const std::string& input) {
  Law law;
  law.name = law.equation = name;
  law.units = "1";
  law.right_hand_side = Expression::symbol(input);
  law.physics_tolerance = 1e-9;
  return law;
}

}  // namespace

ImageProblem::ImageProblem(ImageLaws which, const Images& images, std::int64_t training, const Images& test) {
  constexpr std::int64_t blocks = image_side / block_side;
  std::vector<Variable> variables;
  const auto add_input = [&](const std::string& name) {
    Variable variable;
    variable.name = name;
    variable.units = "1";
    variables.push_back(variable);
  };
  if (which == ImageLaws::brightness) {
    add_input("brightness");
    laws.push_back(made_law("mean_brightness", "brightness"));
    for (std::int64_t row = 0; row < image_side; ++row)
      for (std::int64_t block = 0; block < blocks; ++block)
        laws[0].terms.push_back({segment(row, block), Expression(1.0 / static_cast<double>(image_pixels))});
  } else {
    for (std::int64_t i = 0; i < blocks * blocks; ++i) {
      const std::string name = std::to_string(i / blocks) + "_" + std::to_string(i % blocks);
      add_input("block" + name);
      laws.push_back(made_law("sum" + name, "block" + name));
      for (std::int64_t row = 0; row < block_side; ++row)
        laws.back().terms.push_back({segment(i / blocks * block_side + row, i % blocks), Expression(1.0)});
    }
  }
  for (std::int64_t row = 0; row < image_side; ++row)
    for (std::int64_t block = 0; block < blocks; ++block) {
      Variable variable;
      variable.name = segment(row, block);
      variable.units = "1";
      variable.role = Role::output;
      variable.dimensions = {"x"};
      variables.push_back(variable);
    }
  layout = StateLayout({{"x", DimensionKind::x, block_side}}, variables);

  samples.layout = layout;
  samples.source = "Fashion-MNIST";
  samples.samples = images.pixels.rows() + test.pixels.rows();
  const auto append = [&](const Images& from, Index row, Subset subset) {
    const double* pixels = from.pixels.data() + row * image_pixels;
    samples.outputs.insert(samples.outputs.end(), pixels, pixels + image_pixels);
    samples.subset.push_back(subset);
    samples.column.push_back(from.first_id + static_cast<std::uint64_t>(row));
    samples.step.push_back(0);
  };
  for (Index row = 0; row < images.pixels.rows(); ++row)
    append(images, row, row < training ? Subset::training : Subset::validation);
  for (Index row = 0; row < test.pixels.rows(); ++row) append(test, row, Subset::test);
  // The given numbers are the images' own.
  const LinearConstraints constraints = this->constraints();
  const Eigen::Map<const RowMatrix> y(samples.outputs.data(), samples.samples, image_pixels);
  const RowMatrix d = y * constraints.A().transpose();
  samples.inputs.assign(d.data(), d.data() + d.size());
}

}  // namespace lavoisier::bench
