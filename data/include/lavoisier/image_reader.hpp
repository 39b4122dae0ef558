#ifndef LAVOISIER_IMAGE_READER_HPP
#define LAVOISIER_IMAGE_READER_HPP

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

/// Grey: one channel. Colour: three, red, green, blue.
struct ImageShape {
  std::int64_t channels = 1, height = 0, width = 0;
  std::int64_t numbers() const { return channels * height * width; }
  bool operator==(const ImageShape&) const = default;
};
/// "28 x 28, grey"; "32 x 32, 3 channels": height first.
std::string to_string(const ImageShape& shape);

/// Images of one size, 8 bits a channel, from
/// - an IDX file of bytes (images, rows, columns), plain or gzip (the MNIST family); labels from the file beside it
///   whose name has "labels-idx1" for "images-idx3";
/// - a binary batch of CIFAR-10 or CIFAR-100 (NAME.bin; Krizhevsky 2009): labels in each record;
/// - a folder of PNG and JPEG files (by their names' ends; others are passed over), in the order of their names, or a
///   folder of such folders, one a label, numbered from 0 in that order; or one such file.
/// The constructor looks at the header of every file of a folder, and reads pixels of none.
/// Errors: not_found; io_error; invalid_format (a file that is cut short or cannot be read, 16 bits, transparency);
/// shape_mismatch (sizes or colours differ within a folder). Each names the file, what was expected and found.
class ImageReader {
 public:
  explicit ImageReader(const std::filesystem::path& path);
  ~ImageReader();
  ImageReader(ImageReader&&) noexcept;
  ImageReader& operator=(ImageReader&&) noexcept;

  const std::filesystem::path& path() const noexcept;
  const char* format() const noexcept;  ///< "IDX", "CIFAR-10", "CIFAR-100", "folder" or "image"
  const ImageShape& shape() const noexcept;
  std::int64_t images() const noexcept;

  /// Bytes of images first .. first + count - 1: count x channels x height x width, row-major. Error(out_of_range).
  std::vector<std::uint8_t> read(std::int64_t first, std::int64_t count) const;

  /// "label", and of CIFAR-100 "coarse_label"; none where the images have none.
  std::vector<std::string> labels() const;
  /// Of images first .. first + count - 1. Error(not_found) where there are none of that name.
  std::vector<double> read_labels(const std::string& name, std::int64_t first, std::int64_t count) const;

  /// For messages: "image 12", of a folder with the file's name.
  std::string describe(std::int64_t image) const;

  struct Implementation;

 private:
  std::unique_ptr<Implementation> implementation_;
};

/// SHA-256 of a file; of a folder of images that of its files' names and digests, in the reader's order.
std::string sha256_of_data(const std::filesystem::path& path);

}  // namespace lavoisier

#endif
