#include <lavoisier/files.hpp>
#include <lavoisier/idx_reader.hpp>
#include <lavoisier/image_reader.hpp>
#include <lavoisier/status.hpp>

#include "image_codecs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <optional>

namespace lavoisier {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, Status status, const std::string& what) {
  throw Error(status, fmt::format("{}: {}", path.string(), what));
}

constexpr std::int64_t cifar_side = 32, cifar_numbers = 3 * cifar_side * cifar_side;

}  // namespace

std::string to_string(const ImageShape& shape) {
  return fmt::format("{} x {}, {}", shape.height, shape.width,
                     shape.channels == 1 ? "grey" : fmt::format("{} channels", shape.channels));
}

struct ImageReader::Implementation {
  std::filesystem::path path;
  ImageShape shape;
  std::int64_t count = 0;

  explicit Implementation(std::filesystem::path where) : path(std::move(where)) {}
  virtual ~Implementation() = default;
  virtual const char* format() const = 0;
  virtual void read(std::int64_t first, std::int64_t images, std::vector<std::uint8_t>& bytes) const = 0;
  virtual std::vector<std::string> labels() const = 0;
  virtual std::vector<double> read_labels(const std::string& name, std::int64_t first, std::int64_t images) const = 0;
  virtual std::string describe(std::int64_t image) const { return fmt::format("image {}", image); }
};

namespace {

class IdxImages final : public ImageReader::Implementation {
 public:
  explicit IdxImages(const std::filesystem::path& where) : Implementation(where), pixels_(where) {
    const auto& sizes = pixels_.shape();
    if (pixels_.type() != IdxType::u8 || sizes.size() != 3 || sizes[1] < 1 || sizes[2] < 1)
      fail(path, Status::shape_mismatch, fmt::format("expected an IDX file of images (items x rows x columns of u8), found {} of {}",
                                                     fmt::join(sizes, " x "), to_string(pixels_.type())));
    shape = {1, sizes[1], sizes[2]};
    count = pixels_.items();
    std::string name = path.filename().string();
    const auto at = name.find("images-idx3");
    if (at == std::string::npos) return;
    const std::filesystem::path beside = path.parent_path() / name.replace(at, 11, "labels-idx1");
    if (!std::filesystem::exists(beside)) return;
    labels_.emplace(beside);
    if (labels_->shape().size() != 1)
      fail(beside, Status::shape_mismatch, fmt::format("expected labels, one a number, found {}", fmt::join(labels_->shape(), " x ")));
    require_same_items(pixels_, *labels_);
  }
  const char* format() const override { return "IDX"; }
  void read(std::int64_t first, std::int64_t images, std::vector<std::uint8_t>& bytes) const override {
    const std::vector<double> numbers = pixels_.read(first, images);
    std::transform(numbers.begin(), numbers.end(), bytes.begin(), [](double value) { return static_cast<std::uint8_t>(value); });
  }
  std::vector<std::string> labels() const override {
    return labels_ ? std::vector<std::string>{"label"} : std::vector<std::string>();
  }
  std::vector<double> read_labels(const std::string&, std::int64_t first, std::int64_t images) const override {
    return labels_->read(first, images);
  }

 private:
  IdxReader pixels_;
  std::optional<IdxReader> labels_;
};

/// Records of one label (CIFAR-10) or two (CIFAR-100: coarse, fine), then red, green and blue of 32 x 32 pixels.
class CifarImages final : public ImageReader::Implementation {
 public:
  explicit CifarImages(const std::filesystem::path& where) : Implementation(where) {
    shape = {3, cifar_side, cifar_side};
    std::error_code error;
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    if (error) fail(path, Status::io_error, error.message());
    std::string wrong;
    for (const std::int64_t head : {1, 2}) {
      if (bytes == 0 || bytes % (head + cifar_numbers) != 0) continue;
      head_ = head;
      count = bytes / (head + cifar_numbers);
      wrong = wrong_label();
      if (wrong.empty()) return;
    }
    fail(path, Status::invalid_format,
         wrong.empty() ? fmt::format("expected whole records of {} bytes (CIFAR-10) or {} (CIFAR-100), found {} bytes",
                                     1 + cifar_numbers, 2 + cifar_numbers, bytes)
                       : wrong);
  }
  const char* format() const override { return head_ == 1 ? "CIFAR-10" : "CIFAR-100"; }
  void read(std::int64_t first, std::int64_t images, std::vector<std::uint8_t>& bytes) const override {
    const std::vector<std::uint8_t> records = read_records(first, images);
    for (std::int64_t i = 0; i < images; ++i)
      std::copy_n(records.begin() + static_cast<std::ptrdiff_t>(i * record() + head_), cifar_numbers,
                  bytes.begin() + static_cast<std::ptrdiff_t>(i * cifar_numbers));
  }
  std::vector<std::string> labels() const override {
    return head_ == 1 ? std::vector<std::string>{"label"} : std::vector<std::string>{"label", "coarse_label"};
  }
  std::vector<double> read_labels(const std::string& name, std::int64_t first, std::int64_t images) const override {
    const std::vector<std::uint8_t> records = read_records(first, images);
    const std::int64_t at = name == "coarse_label" ? 0 : head_ - 1;
    std::vector<double> result;
    for (std::int64_t i = 0; i < images; ++i) result.push_back(records[static_cast<std::size_t>(i * record() + at)]);
    return result;
  }

 private:
  std::int64_t head_ = 1;

  std::int64_t record() const { return head_ + cifar_numbers; }
  std::vector<std::uint8_t> read_records(std::int64_t first, std::int64_t images) const {
    std::vector<std::uint8_t> records(static_cast<std::size_t>(images * record()));
    std::ifstream file(path, std::ios::binary);
    file.seekg(first * record());
    if (!records.empty() && !file.read(reinterpret_cast<char*>(records.data()), static_cast<std::streamsize>(records.size())))
      fail(path, Status::io_error, "the file cannot be read, or has become shorter since it was opened");
    return records;
  }
  /// A record's label that none of the data set has: this is no such file.
  std::string wrong_label() const {
    constexpr std::int64_t most = 1024;
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t images = std::min(most, count - first);
      const std::vector<std::uint8_t> records = read_records(first, images);
      for (std::int64_t i = 0; i < images; ++i)
        for (std::int64_t at = 0; at < head_; ++at) {
          const int label = records[static_cast<std::size_t>(i * record() + at)], limit = head_ == 1 ? 10 : at == 0 ? 20 : 100;
          if (label >= limit)
            return fmt::format("expected labels of {} from 0 to {}, found {} in record {}", format(), limit - 1, label, first + i);
        }
    }
    return {};
  }
};

class Pictures final : public ImageReader::Implementation {
 public:
  explicit Pictures(const std::filesystem::path& where) : Implementation(where) {
    folder_ = std::filesystem::is_directory(path);
    if (folder_) {
      files_ = pictures_in(path);
      if (files_.empty()) find_classes();
    } else {
      files_.push_back(path);
    }
    if (files_.empty())
      fail(path, Status::not_found, "expected PNG or JPEG files in the folder, or folders of them, one a label; found none");
    shape = detail::picture_shape(files_.front());
    count = static_cast<std::int64_t>(files_.size());
    for (const auto& file : files_)
      if (const ImageShape own = detail::picture_shape(file); own != shape)
        fail(file, Status::shape_mismatch,
             fmt::format("expected an image of {}, as {}, found {}", to_string(shape), files_.front().string(), to_string(own)));
  }
  const char* format() const override { return folder_ ? "folder" : "image"; }
  void read(std::int64_t first, std::int64_t images, std::vector<std::uint8_t>& bytes) const override {
    for (std::int64_t i = 0; i < images; ++i) {
      const std::vector<std::uint8_t> own = detail::read_picture(files_[static_cast<std::size_t>(first + i)]);
      if (static_cast<std::int64_t>(own.size()) != shape.numbers())
        fail(files_[static_cast<std::size_t>(first + i)], Status::io_error, "the file has changed since the folder was opened");
      std::copy(own.begin(), own.end(), bytes.begin() + static_cast<std::ptrdiff_t>(i * shape.numbers()));
    }
  }
  std::vector<std::string> labels() const override {
    return classes_.empty() ? std::vector<std::string>() : std::vector<std::string>{"label"};
  }
  std::vector<double> read_labels(const std::string&, std::int64_t first, std::int64_t images) const override {
    const auto from = classes_.begin() + static_cast<std::ptrdiff_t>(first);
    return {from, from + static_cast<std::ptrdiff_t>(images)};
  }
  std::string describe(std::int64_t image) const override {
    return fmt::format("image {}, {}", image, files_[static_cast<std::size_t>(image)].lexically_relative(path).string());
  }
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  bool folder_ = false;
  std::vector<std::filesystem::path> files_;
  std::vector<int> classes_;  ///< one a file, where files lie in folders of folders

  static std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.is_regular_file() && detail::is_picture(entry.path())) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  void find_classes() {
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.is_directory()) folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    int number = 0;
    for (const auto& folder : folders) {
      const auto found = pictures_in(folder);
      files_.insert(files_.end(), found.begin(), found.end());
      if (!found.empty()) classes_.resize(files_.size(), number++);
    }
  }
};

std::unique_ptr<ImageReader::Implementation> opened(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) fail(path, Status::not_found, "no such file or folder");
  try {
    if (std::filesystem::is_directory(status) || detail::is_picture(path)) return std::make_unique<Pictures>(path);
    if (path.extension() == ".bin") return std::make_unique<CifarImages>(path);
  } catch (const std::filesystem::filesystem_error& failure) {
    throw Error(Status::io_error, failure.what());
  }
  return std::make_unique<IdxImages>(path);
}

}  // namespace

ImageReader::ImageReader(const std::filesystem::path& path) : implementation_(opened(path)) {}
ImageReader::~ImageReader() = default;
ImageReader::ImageReader(ImageReader&&) noexcept = default;
ImageReader& ImageReader::operator=(ImageReader&&) noexcept = default;

const std::filesystem::path& ImageReader::path() const noexcept { return implementation_->path; }
const char* ImageReader::format() const noexcept { return implementation_->format(); }
const ImageShape& ImageReader::shape() const noexcept { return implementation_->shape; }
std::int64_t ImageReader::images() const noexcept { return implementation_->count; }
std::vector<std::string> ImageReader::labels() const { return implementation_->labels(); }
std::string ImageReader::describe(std::int64_t image) const { return implementation_->describe(image); }

std::vector<std::uint8_t> ImageReader::read(std::int64_t first, std::int64_t count) const {
  if (first < 0 || count < 0 || count > images() - std::min(first, images()))
    fail(path(), Status::out_of_range, fmt::format("images {} to {} of {}", first, first + count - 1, images()));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * shape().numbers()));
  implementation_->read(first, count, bytes);
  return bytes;
}

std::vector<double> ImageReader::read_labels(const std::string& name, std::int64_t first, std::int64_t count) const {
  const std::vector<std::string> known = labels();
  if (std::find(known.begin(), known.end(), name) == known.end())
    fail(path(), Status::not_found, fmt::format("expected \"{}\" of the images, found {}", name,
                                                known.empty() ? "no labels" : fmt::format("{} alone", fmt::join(known, ", "))));
  if (first < 0 || count < 0 || count > images() - std::min(first, images()))
    fail(path(), Status::out_of_range, fmt::format("labels {} to {} of {}", first, first + count - 1, images()));
  return implementation_->read_labels(name, first, count);
}

std::string sha256_of_data(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return sha256_of_file(path);
  Sha256 digest;
  const auto add = [&](const std::string& text) { digest.add(std::as_bytes(std::span(text.data(), text.size() + 1))); };
  const Pictures pictures(path);
  for (const auto& file : pictures.files()) {
    add(file.lexically_relative(path).string());
    add(sha256_of_file(file));
  }
  return digest.digits();
}

}  // namespace lavoisier
