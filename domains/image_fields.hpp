#ifndef LAVOISIER_DOMAINS_IMAGE_FIELDS_HPP
#define LAVOISIER_DOMAINS_IMAGE_FIELDS_HPP

// Images as a domain's fields: a file of images has "pixel" over (image, channel, y, x), grey ones over (image, y, x), and
// labels over (image).

#include <lavoisier/domain.hpp>
#include <lavoisier/image_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Whether a domain of images reads this file as one: not a table (.csv) or NetCDF, which hold inputs.
bool holds_images(const std::filesystem::path& path);

/// SampleReader::element_axes() of a domain of images: indices of pixels, also where a table holds the inputs.
std::vector<FileAxis> pixel_axes(const Domain& domain);

class ImageFields {
 public:
  /// Errors as ImageReader's; shape_mismatch where extents or channels are not the domain's; not_found for a label that the
  /// images do not have, or a variable that no image has.
  ImageFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs);

  ImageFields(const ImageFields&) = delete;
  ImageFields& operator=(const ImageFields&) = delete;

  std::int64_t images() const noexcept { return reader_.images(); }
  std::string describe(std::int64_t image) const { return reader_.describe(image); }

  /// Of images first .. first + count - 1, count x elements of the role: what comes of pixels, labels and outputs; other
  /// inputs (coordinates, made of inputs) are left as they are.
  void fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const;

 private:
  struct Field {
    std::string name;
    std::vector<std::string> dimensions;
    std::vector<std::int64_t> extents;
    std::int64_t elements = 1, offset = 0;
    std::vector<std::int64_t> places;  ///< of each element among an image's numbers; empty: a label
    std::string label;
    const Source* source = nullptr;    ///< of_outputs
  };

  Field field(const Variable& variable) const;
  std::vector<std::int64_t> places(const Variable& variable, const Source& source) const;
  void take(const std::vector<Field>& fields, const std::vector<double>& pixels, std::int64_t first, std::int64_t count,
            std::int64_t width, double* values) const;
  /// count x elements.
  std::vector<double> of_outputs(const Field& field, const std::vector<double>& outputs, std::int64_t count) const;
  std::vector<double> pixels(std::int64_t first, std::int64_t count) const;

  const Domain domain_;
  ImageReader reader_;
  std::vector<Field> inputs_, outputs_;  ///< those that come of images
  std::map<std::string, ExpressionValue> constants_;
};

}  // namespace lavoisier::detail

#endif
