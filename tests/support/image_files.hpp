#ifndef LAVOISIER_TESTS_IMAGE_FILES_HPP
#define LAVOISIER_TESTS_IMAGE_FILES_HPP

// Small files of images, written by libpng, libjpeg and by hand.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>

namespace lavoisier::tests {

using ImageBytes = std::vector<std::uint8_t>;

/// Pixels with channels last. `format`: PNG_FORMAT_GRAY, PNG_FORMAT_RGB, with PNG_FORMAT_FLAG_ALPHA or _LINEAR (16 bits).
inline void write_png(const std::filesystem::path& path, int height, int width, const ImageBytes& pixels,
                      png_uint_32 format = PNG_FORMAT_GRAY) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = format;
  if (png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr) == 0) throw std::runtime_error(image.message);
}

inline void write_jpeg(const std::filesystem::path& path, int height, int width, ImageBytes pixels, int channels) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw std::runtime_error("cannot write " + path.string());
  jpeg_stdio_dest(&encoder, file);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.input_components = channels;
  encoder.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 100, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row = pixels.data() + encoder.next_scanline * static_cast<JDIMENSION>(width * channels);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::fclose(file);
}

inline void write_bytes(const std::filesystem::path& path, const ImageBytes& bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline ImageBytes read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An IDX file of bytes.
inline void write_idx(const std::filesystem::path& path, const std::vector<int>& sizes, const ImageBytes& numbers) {
  ImageBytes bytes = {0, 0, 8, static_cast<std::uint8_t>(sizes.size())};
  for (const int size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(size >> shift));
  bytes.insert(bytes.end(), numbers.begin(), numbers.end());
  write_bytes(path, bytes);
}

/// Records of CIFAR: labels, then 3 x 32 x 32 bytes; `pixel(image, number)`.
inline void write_cifar(const std::filesystem::path& path, const std::vector<ImageBytes>& labels,
                        const std::function<int(int, int)>& pixel) {
  ImageBytes bytes;
  for (std::size_t image = 0; image < labels.size(); ++image) {
    bytes.insert(bytes.end(), labels[image].begin(), labels[image].end());
    for (int number = 0; number < 3 * 32 * 32; ++number)
      bytes.push_back(static_cast<std::uint8_t>(pixel(static_cast<int>(image), number)));
  }
  write_bytes(path, bytes);
}

}  // namespace lavoisier::tests

#endif
