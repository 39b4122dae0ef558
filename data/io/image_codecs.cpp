#include "image_codecs.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>

#include <jpeglib.h>
#include <png.h>

namespace lavoisier::detail {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, Status status, const std::string& what) {
  throw Error(status, fmt::format("{}: {}", path.string(), what));
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open(const std::filesystem::path& path) {
  errno = 0;
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) fail(path, errno == ENOENT ? Status::not_found : Status::io_error, std::strerror(errno));
  return file;
}

/// By its first bytes: a picture under another's name is read all the same.
enum class Codec { png, jpeg };
Codec codec_of(const std::filesystem::path& path, std::FILE* file) {
  unsigned char head[8] = {};
  const std::size_t found = std::fread(head, 1, sizeof head, file);
  std::rewind(file);
  if (found == sizeof head && png_sig_cmp(head, 0, sizeof head) == 0) return Codec::png;
  if (found >= 3 && head[0] == 0xFF && head[1] == 0xD8 && head[2] == 0xFF) return Codec::jpeg;
  fail(path, Status::invalid_format, "expected a PNG or JPEG file, found neither's first bytes");
}

/// Channels last to channels first.
std::vector<std::uint8_t> planes(const std::vector<std::uint8_t>& pixels, const ImageShape& shape) {
  if (shape.channels == 1) return pixels;
  std::vector<std::uint8_t> result(pixels.size());
  const auto channels = static_cast<std::size_t>(shape.channels), size = pixels.size() / channels;
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t c = 0; c < channels; ++c) result[c * size + i] = pixels[i * channels + c];
  return result;
}

// --- PNG --------------------------------------------------------------------------------------------------------

class Png {
 public:
  Png(const std::filesystem::path& path, std::FILE* file) : path_(path) {
    image_.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_stdio(&image_, file) == 0) broken();
    if ((image_.format & PNG_FORMAT_FLAG_LINEAR) != 0)
      fail(path, Status::invalid_format, "expected 8 bits a channel, found a PNG of 16");
    if ((image_.format & PNG_FORMAT_FLAG_ALPHA) != 0)
      fail(path, Status::invalid_format, "expected a picture without transparency, found an alpha channel");
    image_.format = (image_.format & PNG_FORMAT_FLAG_COLOR) != 0 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  }
  ~Png() { png_image_free(&image_); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  ImageShape shape() const {
    return {image_.format == PNG_FORMAT_RGB ? 3 : 1, static_cast<std::int64_t>(image_.height),
            static_cast<std::int64_t>(image_.width)};
  }
  std::vector<std::uint8_t> pixels() {
    std::vector<std::uint8_t> result(PNG_IMAGE_SIZE(image_));
    // libpng goes on after what it calls a warning (a wrong checksum of a chunk that it can do without).
    if (png_image_finish_read(&image_, nullptr, result.data(), 0, nullptr) == 0 || image_.warning_or_error != 0) broken();
    return result;
  }

 private:
  const std::filesystem::path& path_;
  png_image image_{};

  [[noreturn]] void broken() const {
    fail(path_, Status::invalid_format, fmt::format("expected a whole PNG, found a broken one ({})", image_.message));
  }
};

// --- JPEG -------------------------------------------------------------------------------------------------------

struct JpegErrors {
  jpeg_error_mgr manager{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = {};
};

// Errors, and warnings too: of a file that is cut short the library would make grey.
void jpeg_leave(j_common_ptr common) {
  auto* errors = reinterpret_cast<JpegErrors*>(common->err);
  errors->manager.format_message(common, errors->message);
  std::longjmp(errors->back, 1);
}
void jpeg_tell(j_common_ptr common, int level) {
  if (level < 0) jpeg_leave(common);
}

/// What a decoder holds; nothing in here has a destructor that a long jump could pass over.
struct Jpeg {
  jpeg_decompress_struct decoder{};
  JpegErrors errors;

  void prepare() {
    decoder.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = jpeg_leave;
    errors.manager.emit_message = jpeg_tell;
  }
  bool read_header(std::FILE* file) {
    if (setjmp(errors.back) != 0) return false;
    jpeg_create_decompress(&decoder);
    jpeg_stdio_src(&decoder, file);
    jpeg_read_header(&decoder, TRUE);
    return true;
  }
  bool read_rows(std::uint8_t* to, std::size_t row_bytes) {
    if (setjmp(errors.back) != 0) return false;
    decoder.out_color_space = decoder.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    decoder.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&decoder);
    while (decoder.output_scanline < decoder.output_height) {
      JSAMPROW row = to + decoder.output_scanline * row_bytes;
      jpeg_read_scanlines(&decoder, &row, 1);
    }
    jpeg_finish_decompress(&decoder);
    return true;
  }
};

class JpegFile {
 public:
  JpegFile(const std::filesystem::path& path, std::FILE* file) : path_(path) {
    jpeg_.prepare();
    const bool read = jpeg_.read_header(file);
    const int components = jpeg_.decoder.num_components;
    const std::string message = jpeg_.errors.message;
    if (read && (components == 1 || components == 3)) return;
    jpeg_destroy_decompress(&jpeg_.decoder);
    if (!read) broken(path, message);
    fail(path, Status::invalid_format, fmt::format("expected grey or three colours, found a JPEG of {} channels", components));
  }
  ~JpegFile() { jpeg_destroy_decompress(&jpeg_.decoder); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  ImageShape shape() const {
    return {jpeg_.decoder.num_components == 1 ? 1 : 3, static_cast<std::int64_t>(jpeg_.decoder.image_height),
            static_cast<std::int64_t>(jpeg_.decoder.image_width)};
  }
  std::vector<std::uint8_t> pixels() {
    const ImageShape own = shape();
    std::vector<std::uint8_t> result(static_cast<std::size_t>(own.numbers()));
    if (!jpeg_.read_rows(result.data(), static_cast<std::size_t>(own.channels * own.width))) broken(path_, jpeg_.errors.message);
    return result;
  }

 private:
  const std::filesystem::path& path_;
  Jpeg jpeg_;

  [[noreturn]] static void broken(const std::filesystem::path& path, const std::string& message) {
    fail(path, Status::invalid_format, fmt::format("expected a whole JPEG, found a broken one ({})", message));
  }
};

/// take(picture) of the decoder that fits.
template <class Take>
auto decoded(const std::filesystem::path& path, const Take& take) {
  const File file = open(path);
  if (codec_of(path, file.get()) == Codec::png) {
    Png png(path, file.get());
    return take(png);
  }
  JpegFile jpeg(path, file.get());
  return take(jpeg);
}

}  // namespace

bool is_picture(const std::filesystem::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return std::tolower(c); });
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

ImageShape picture_shape(const std::filesystem::path& path) {
  return decoded(path, [](auto& picture) { return picture.shape(); });
}

std::vector<std::uint8_t> read_picture(const std::filesystem::path& path) {
  return decoded(path, [](auto& picture) { return planes(picture.pixels(), picture.shape()); });
}

}  // namespace lavoisier::detail
