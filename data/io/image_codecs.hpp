#ifndef LAVOISIER_DATA_IMAGE_CODECS_HPP
#define LAVOISIER_DATA_IMAGE_CODECS_HPP

// One PNG or JPEG file.

#include <lavoisier/image_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace lavoisier::detail {

/// By the end of its name: .png, .jpg or .jpeg, in any case.
bool is_picture(const std::filesystem::path& path);

/// From the header alone. Errors as ImageReader's.
ImageShape picture_shape(const std::filesystem::path& path);

/// Channels x height x width bytes, of the shape that picture_shape() gives. A file with missing or broken parts is an
/// error, also where the library would fill them in.
std::vector<std::uint8_t> read_picture(const std::filesystem::path& path);

}  // namespace lavoisier::detail

#endif
