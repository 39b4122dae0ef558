#include "image_fields.hpp"

#include "field.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <numeric>

namespace lavoisier::detail {
namespace {

constexpr std::uint64_t noise_stream = 0x696d616765ULL;  // "image": apart from what splits, training and sampling draw
constexpr std::int64_t images_at_once = 256;
const std::string cells_dimension = "images of a piece";  // no name of a domain file

/// A dimension of "pixel" in a file of images.
struct PixelDimension {
  std::string name;
  std::int64_t extent, stride;
};

std::vector<PixelDimension> pixel_dimensions(const ImageShape& shape) {
  std::vector<PixelDimension> all = {{"y", shape.height, shape.width}, {"x", shape.width, 1}};
  if (shape.channels > 1) all.insert(all.begin(), {"channel", shape.channels, shape.height * shape.width});
  return all;
}

}  // namespace

bool holds_images(const std::filesystem::path& path) {
  if (path.extension() == ".csv") return false;
  if (std::filesystem::is_directory(path)) return true;
  char head[8] = {};
  std::ifstream(path, std::ios::binary).read(head, sizeof head);
  return std::memcmp(head, "CDF", 3) != 0 && std::memcmp(head, "\x89HDF\r\n\x1a\n", 8) != 0;
}

std::vector<FileAxis> pixel_axes(const Domain& domain) {
  std::vector<FileAxis> result;
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  for (const Dimension& dimension : domain.layout.dimensions()) {
    if (std::none_of(outputs.begin(), outputs.end(), [&](const Variable& one) {
          return std::find(one.dimensions.begin(), one.dimensions.end(), dimension.name) != one.dimensions.end();
        }))
      continue;
    FileAxis axis;
    axis.name = dimension.name;
    axis.units = "1";
    axis.values.resize(static_cast<std::size_t>(dimension.extent));
    std::iota(axis.values.begin(), axis.values.end(), static_cast<double>(domain.file_dimensions.at(dimension.name).first));
    result.push_back(std::move(axis));
  }
  return result;
}

ImageFields::ImageFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs)
    : domain_(domain), reader_(path) {
  bool from_outputs = false;
  for (const Variable& variable : domain_.layout.with_role(Role::input)) {
    const Source& source = domain_.sources.at(variable.name);
    from_outputs = from_outputs || source.of_outputs;
    if (source.is_field()) inputs_.push_back(field(variable));
  }
  if (with_outputs || from_outputs)
    for (const Variable& variable : domain_.layout.with_role(Role::output)) outputs_.push_back(field(variable));
  for (const Constant& constant : domain_.constants) constants_[constant.name] = {{}, {}, {constant.value}, {}};
}

ImageFields::Field ImageFields::field(const Variable& variable) const {
  Field result;
  result.name = variable.name;
  result.dimensions = variable.dimensions;
  result.extents = extents_of(domain_, variable.dimensions);
  result.elements = domain_.layout.elements(variable);
  result.offset = domain_.layout.offset(variable.name);
  const Source& source = domain_.sources.at(variable.name);
  if (source.of_outputs) {
    result.source = &source;
  } else if (source.variable == "pixel") {
    result.places = places(variable, source);
  } else if (source.variable == "label" || source.variable == "coarse_label") {
    if (!variable.dimensions.empty())
      throw Error(Status::shape_mismatch, fmt::format("variable \"{}\": a label is one number an image, found the dimensions ({})",
                                                      variable.name, fmt::join(variable.dimensions, ", ")));
    result.label = source.variable;
    reader_.read_labels(result.label, 0, 0);  // is it there?
  } else {
    throw Error(Status::not_found, fmt::format("{}: expected \"pixel\", \"label\" or \"coarse_label\" as the source of variable \"{}\", "
                                               "found \"{}\"; images have no other fields",
                                               reader_.path().string(), variable.name, source.variable));
  }
  return result;
}

std::vector<std::int64_t> ImageFields::places(const Variable& variable, const Source& source) const {
  const std::vector<PixelDimension> all = pixel_dimensions(reader_.shape());
  std::vector<std::string> wanted;
  bool fits = true;
  std::size_t used = 0;
  const auto known = [&](const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const PixelDimension& one) { return one.name == name; });
  };
  std::vector<std::int64_t> result = {0};
  for (const std::string& name : variable.dimensions) {
    const FileDimension& there = domain_.file_dimensions.at(name);
    const std::int64_t extent = domain_.layout.dimension(name).extent;
    wanted.push_back(there.part ? fmt::format("{} with the indices {} to {}", there.name, there.first, there.first + extent - 1)
                                : fmt::format("{} = {}", there.name, extent));
    const auto found = known(there.name);
    fits = fits && found != all.end() && (there.part ? there.first + extent <= found->extent : extent == found->extent);
    if (!fits) continue;
    ++used;
    std::vector<std::int64_t> more;
    more.reserve(result.size() * static_cast<std::size_t>(extent));
    for (const std::int64_t at : result)
      for (std::int64_t i = 0; i < extent; ++i) more.push_back(at + (there.first + i) * found->stride);
    result = std::move(more);
  }
  for (const auto& [name, index] : source.at) {
    wanted.push_back(fmt::format("{} with the index {}", name, index));
    const auto found = known(name);
    fits = fits && found != all.end() && index < found->extent;
    if (!fits) continue;
    ++used;
    for (std::int64_t& at : result) at += index * found->stride;
  }
  if (fits && used == all.size()) return result;
  std::vector<std::string> there;
  for (const PixelDimension& one : all) there.push_back(fmt::format("{} = {}", one.name, one.extent));
  throw Error(Status::shape_mismatch,
              fmt::format("variable \"{}\" of \"{}\": expected images with the dimensions ({}), found ({}): {}", variable.name,
                          reader_.path().string(), fmt::join(wanted, ", "), fmt::join(there, ", "), to_string(reader_.shape())));
}

std::vector<double> ImageFields::pixels(std::int64_t first, std::int64_t count) const {
  const std::vector<std::uint8_t> bytes = reader_.read(first, count);
  std::vector<double> result(bytes.begin(), bytes.end());
  const auto numbers = static_cast<std::size_t>(reader_.shape().numbers());
  if (!domain_.images->dequantise) {
    for (double& value : result) value /= 255.0;
    return result;
  }
  const random::Key key{0, noise_stream};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto words = random::words(key, {.column = static_cast<std::uint64_t>(first) + i / numbers, .element = i % numbers});
    result[i] = (result[i] + random::uniform_open_right(words[0])) / 256.0;
  }
  return result;
}

void ImageFields::fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const {
  const std::vector<Field>& fields = role == Role::input ? inputs_ : outputs_;
  const bool from_outputs =
      role == Role::input && std::any_of(fields.begin(), fields.end(), [](const Field& one) { return one.source != nullptr; });
  const bool from_pixels =
      from_outputs || std::any_of(fields.begin(), fields.end(), [](const Field& one) { return !one.places.empty(); });
  const std::int64_t width = domain_.layout.elements(role), output_width = domain_.layout.elements(Role::output);
  for (std::int64_t from = 0; from < count; from += images_at_once) {
    const std::int64_t some = std::min(images_at_once, count - from);
    const std::vector<double> read = from_pixels ? pixels(first + from, some) : std::vector<double>();
    double* const to = values.data() + from * width;
    take(fields, read, first + from, some, width, to);
    if (!from_outputs) continue;
    std::vector<double> outputs(static_cast<std::size_t>(some * output_width));
    take(outputs_, read, first + from, some, output_width, outputs.data());
    for (const Field& field : fields) {
      if (field.source == nullptr) continue;
      const std::vector<double> made = of_outputs(field, outputs, some);
      for (std::int64_t i = 0; i < some; ++i)
        std::copy_n(&made[static_cast<std::size_t>(i * field.elements)], field.elements, to + i * width + field.offset);
    }
  }
}

void ImageFields::take(const std::vector<Field>& fields, const std::vector<double>& pixels, std::int64_t first,
                       std::int64_t count, std::int64_t width, double* values) const {
  const std::int64_t numbers = reader_.shape().numbers();
  for (const Field& field : fields) {
    if (!field.label.empty()) {
      const std::vector<double> labels = reader_.read_labels(field.label, first, count);
      for (std::int64_t i = 0; i < count; ++i) values[i * width + field.offset] = labels[static_cast<std::size_t>(i)];
      continue;
    }
    for (std::int64_t i = 0; i < count; ++i)
      for (std::size_t e = 0; e < field.places.size(); ++e)
        values[i * width + field.offset + static_cast<std::int64_t>(e)] =
            pixels[static_cast<std::size_t>(i * numbers + field.places[e])];
  }
}

std::vector<double> ImageFields::of_outputs(const Field& field, const std::vector<double>& outputs, std::int64_t count) const {
  const std::int64_t width = domain_.layout.elements(Role::output);
  const ExpressionValue value = field.source->of_outputs->evaluate([&](const std::string& name) {
    if (const auto constant = constants_.find(name); constant != constants_.end()) return constant->second;
    const auto output = std::find_if(outputs_.begin(), outputs_.end(), [&](const Field& one) { return one.name == name; });
    LAVOISIER_REQUIRE(output != outputs_.end(), "an input of outputs is made of outputs and constants");
    ExpressionValue result{{cells_dimension}, {count}, {}, {}};
    result.dimensions.insert(result.dimensions.end(), output->dimensions.begin(), output->dimensions.end());
    result.extents.insert(result.extents.end(), output->extents.begin(), output->extents.end());
    result.values.reserve(static_cast<std::size_t>(count * output->elements));
    for (std::int64_t i = 0; i < count; ++i) {
      const auto from = outputs.begin() + static_cast<std::ptrdiff_t>(i * width + output->offset);
      result.values.insert(result.values.end(), from, from + static_cast<std::ptrdiff_t>(output->elements));
    }
    return result;
  });
  std::vector<std::string> dimensions = field.dimensions;
  std::vector<std::int64_t> extents = field.extents;
  dimensions.insert(dimensions.begin(), cells_dimension);
  extents.insert(extents.begin(), count);
  std::vector<double> result = spread(value, dimensions, extents);
  for (double& number : result) number = field.source->value_conversion(number);
  return result;
}

}  // namespace lavoisier::detail
