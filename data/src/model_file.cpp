#include <lavoisier/model_file.hpp>

#include "description.hpp"
#include "strict_json.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace lavoisier {

static_assert(std::endian::native == std::endian::little, "model files are read as they lie: little-endian only");

namespace detail {
std::string sha256_of_parts(const std::vector<std::span<const std::byte>>& parts);
}

namespace {

constexpr std::size_t prefix_size = 8;
constexpr std::uint64_t largest_header = std::uint64_t{64} << 20;
constexpr std::string_view digest_key = "\"sha256\":\"";
constexpr std::string_view description_key = "\"lavoisier\":\"";
constexpr std::string_view metadata_key = "\"__metadata__\":{";
constexpr std::size_t digest_digits = 64;
constexpr std::string_view zeros = "0000000000000000000000000000000000000000000000000000000000000000";
static_assert(zeros.size() == digest_digits);

constexpr std::array<TensorType, 5> all_types = {TensorType::f64, TensorType::f32, TensorType::i64, TensorType::i32,
                                                 TensorType::u8};

// Elements of a shape, or nothing where they are more than a file can hold.
std::optional<std::uint64_t> count_elements(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  bool empty = false;
  for (const auto extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
      continue;
    }
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / static_cast<std::uint64_t>(extent)) {
      return std::nullopt;
    }
    count *= static_cast<std::uint64_t>(extent);
  }
  return empty ? 0 : count;
}

std::optional<std::uint64_t> count_bytes(const std::vector<std::int64_t>& shape, TensorType type) {
  const auto count = count_elements(shape);
  if (!count || *count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / size_of(type)) {
    return std::nullopt;
  }
  return *count * size_of(type);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

template <class T>
Tensor tensor_from(std::string name, TensorType type, std::vector<std::int64_t> shape, std::span<const T> values) {
  const auto count = count_elements(shape);
  if (!count || *count != values.size()) {
    throw Error(Status::invalid_argument, "tensor '" + name + "' of shape " + shape_text(shape) + " was given " +
                                              std::to_string(values.size()) + " values");
  }
  Tensor tensor;
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.shape = std::move(shape);
  const auto bytes = std::as_bytes(values);
  tensor.bytes.assign(bytes.begin(), bytes.end());
  return tensor;
}

template <class T>
std::span<const T> view(const Tensor& tensor, TensorType type) {
  if (tensor.type != type) {
    throw Error(Status::invalid_format, "tensor '" + tensor.name + "': expected " + to_string(type) + ", found " +
                                            to_string(tensor.type));
  }
  return {reinterpret_cast<const T*>(tensor.bytes.data()), tensor.bytes.size() / sizeof(T)};
}

std::string quoted(const std::string& text, const char* what) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(Status::invalid_argument, std::string(what) + " is not UTF-8");
  }
}

// The place of the only occurrence of a literal in the header. The unescaped quotes of the literal can't stand inside
// a JSON string, so it is a key with a value of the expected kind.
std::size_t find_literal(std::string_view header, std::string_view literal, const std::string& origin) {
  const auto at = header.find(literal);
  if (at == std::string_view::npos || header.find(literal, at + 1) != std::string_view::npos) {
    throw Error(Status::invalid_format, origin + ": the header of a model file has the literal text " +
                                            std::string(literal) + " exactly once; found " +
                                            (at == std::string_view::npos ? "none" : "more than one"));
  }
  return at;
}

struct Entry {
  std::string name;
  TensorType type;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

Entry read_entry(const std::string& name, const detail::Place& place) {
  place.keys({"dtype", "shape", "data_offsets"});
  Entry entry;
  entry.name = name;
  const std::string& type = place.member("dtype").text();
  const auto known = std::find_if(all_types.begin(), all_types.end(), [&](TensorType t) { return type == to_string(t); });
  if (known == all_types.end()) {
    place.member("dtype").fail("expected F64, F32, I64, I32 or U8, found '" + type + "'");
  }
  entry.type = *known;
  for (const auto& extent : place.member("shape").items()) entry.shape.push_back(extent.integer());
  const auto offsets = place.member("data_offsets").items();
  if (offsets.size() != 2) place.member("data_offsets").fail("expected two numbers");
  entry.begin = static_cast<std::uint64_t>(offsets[0].integer());
  entry.end = static_cast<std::uint64_t>(offsets[1].integer());
  if (entry.begin > entry.end) place.member("data_offsets").fail("the end lies before the beginning");
  const auto bytes = count_bytes(entry.shape, entry.type);
  if (!bytes || *bytes != entry.end - entry.begin) {
    place.fail("shape " + shape_text(entry.shape) + " of " + type + " does not fit the " +
               std::to_string(entry.end - entry.begin) + " bytes of its data_offsets");
  }
  return entry;
}

}  // namespace

std::size_t size_of(TensorType type) noexcept {
  switch (type) {
    case TensorType::f64:
    case TensorType::i64: return 8;
    case TensorType::f32:
    case TensorType::i32: return 4;
    case TensorType::u8: return 1;
  }
  return 1;
}

const char* to_string(TensorType type) noexcept {
  switch (type) {
    case TensorType::f64: return "F64";
    case TensorType::f32: return "F32";
    case TensorType::i64: return "I64";
    case TensorType::i32: return "I32";
    case TensorType::u8: return "U8";
  }
  return "unknown";
}

Tensor Tensor::from(std::string name, std::vector<std::int64_t> shape, std::span<const double> values) {
  return tensor_from(std::move(name), TensorType::f64, std::move(shape), values);
}
Tensor Tensor::from(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  return tensor_from(std::move(name), TensorType::f32, std::move(shape), values);
}
Tensor Tensor::from(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values) {
  return tensor_from(std::move(name), TensorType::i64, std::move(shape), values);
}

std::int64_t Tensor::elements() const {
  const auto count = count_elements(shape);
  if (!count) throw Error(Status::invalid_argument, "tensor '" + name + "' has the shape " + shape_text(shape));
  return static_cast<std::int64_t>(*count);
}

std::span<const double> Tensor::f64() const { return view<double>(*this, TensorType::f64); }
std::span<const float> Tensor::f32() const { return view<float>(*this, TensorType::f32); }
std::span<const std::int64_t> Tensor::i64() const { return view<std::int64_t>(*this, TensorType::i64); }

void ModelFile::add(Tensor tensor) {
  if (tensor.name.empty()) throw Error(Status::invalid_argument, "a tensor needs a name");
  if (tensor.name == detail::numbers_tensor || tensor.name == detail::constants_tensor ||
      tensor.name == "__metadata__") {
    throw Error(Status::invalid_argument,
                "the tensor name '" + tensor.name + "' is reserved: the model file makes it itself");
  }
  if (has_tensor(tensor.name)) {
    throw Error(Status::invalid_argument, "the model already has a tensor '" + tensor.name + "'");
  }
  const auto bytes = count_bytes(tensor.shape, tensor.type);
  if (!bytes || *bytes != tensor.bytes.size()) {
    throw Error(Status::invalid_argument, "tensor '" + tensor.name + "' of shape " + shape_text(tensor.shape) + " of " +
                                              to_string(tensor.type) + " was given " +
                                              std::to_string(tensor.bytes.size()) + " bytes");
  }
  tensors_.push_back(std::move(tensor));
}

bool ModelFile::has_tensor(const std::string& name) const noexcept {
  return std::any_of(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return t.name == name; });
}

const Tensor& ModelFile::tensor(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& t : tensors_) {
    if (t.name == name) return t;
    names.push_back(t.name);
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(Status::not_found, "the model has no tensor '" + name + "'" +
                                     (nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?"));
}

ModelFile ModelFile::read(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }

ModelFile ModelFile::parse(std::span<const std::byte> bytes, const std::string& origin) {
  const auto refuse = [&](const std::string& what) { throw Error(Status::invalid_format, origin + ": " + what); };
  if (bytes.size() < prefix_size) {
    refuse("no model file: " + std::to_string(bytes.size()) + " bytes; a safetensors file begins with 8 bytes of length");
  }
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), prefix_size);
  if (header_size > largest_header) {
    refuse("no model file: it claims a header of " + std::to_string(header_size) + " bytes; at most " +
           std::to_string(largest_header) + " are accepted");
  }
  if (header_size > bytes.size() - prefix_size) {
    refuse("cut short or no model file: it claims a header of " + std::to_string(header_size) + " bytes and has " +
           std::to_string(bytes.size() - prefix_size) + " after the length");
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + prefix_size,
                                static_cast<std::size_t>(header_size));

  // The digest first: nothing else of the file is used before it holds.
  const std::size_t digest_at = find_literal(header, digest_key, origin) + digest_key.size();
  if (header.size() < digest_at + digest_digits + 1 || header[digest_at + digest_digits] != '"') {
    refuse("'sha256' in the header must be 64 digits");
  }
  const std::string digest(header.substr(digest_at, digest_digits));
  const auto hole = prefix_size + digest_at;
  const std::string computed = detail::sha256_of_parts(
      {bytes.first(hole), std::as_bytes(std::span(zeros)), bytes.subspan(hole + digest_digits)});
  if (computed != digest) {
    throw Error(Status::digest_mismatch, origin + ": the file was cut short or changed after it was written: its SHA-256 is " +
                                             computed + ", its header says " + digest);
  }

  if (header_size % 8 != 0) refuse("the header is not padded to a multiple of 8 bytes");
  const auto last = header.find_last_not_of(' ');
  if (header.front() != '{' || last == std::string_view::npos || header[last] != '}') {
    refuse("the header must begin with '{' and end with '}' and spaces");
  }
  find_literal(header, description_key, origin);
  find_literal(header, metadata_key, origin);
  const detail::Json document = detail::parse_json(header, origin + ": header");
  const detail::Place root(document, origin + ": header");
  const auto metadata = root.member("__metadata__");
  metadata.keys({"lavoisier", "sha256"});
  if (metadata.member("sha256").text() != digest) refuse("'sha256' is not in __metadata__");

  std::vector<Entry> entries;
  for (const auto& [name, place] : root.members()) {
    if (name == "__metadata__") continue;
    if (name.empty()) place.fail("a tensor without a name");
    entries.push_back(read_entry(name, place));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  const auto data = bytes.subspan(prefix_size + static_cast<std::size_t>(header_size));
  std::uint64_t next = 0;
  for (const auto& entry : entries) {
    if (entry.begin != next) {
      refuse("tensor '" + entry.name + "' begins at byte " + std::to_string(entry.begin) + " of the data; expected " +
             std::to_string(next) + (entry.begin > next ? " (a gap)" : " (an overlap)"));
    }
    next = entry.end;
  }
  if (next != data.size()) {
    refuse("the tensors end at byte " + std::to_string(next) + " of the data, the file at byte " +
           std::to_string(data.size()));
  }

  ModelFile file;
  file.digest_ = digest;
  Tensor numbers, constants;
  file.tensors_.reserve(entries.size());
  for (auto& entry : entries) {
    const auto part = data.subspan(static_cast<std::size_t>(entry.begin),
                                   static_cast<std::size_t>(entry.end - entry.begin));
    Tensor tensor{std::move(entry.name), entry.type, std::move(entry.shape), {part.begin(), part.end()}};
    if (tensor.name == detail::numbers_tensor) {
      numbers = std::move(tensor);
    } else if (tensor.name == detail::constants_tensor) {
      constants = std::move(tensor);
    } else {
      file.tensors_.push_back(std::move(tensor));
    }
  }
  for (const auto& [tensor, name] : {std::pair<const Tensor&, const char*>(numbers, detail::numbers_tensor),
                                     std::pair<const Tensor&, const char*>(constants, detail::constants_tensor)}) {
    if (tensor.name.empty() || tensor.type != TensorType::f64 || tensor.shape.size() != 1) {
      refuse(std::string("the tensor '") + name + "' must be there, F64 of one dimension");
    }
  }
  auto read = detail::read_description(metadata.member("lavoisier").text(), numbers.f64(), constants.f64(), origin);
  file.description = std::move(read.description);
  file.version_ = read.version;
  try {
    detail::check_model(file, origin);
  } catch (const Error& error) {
    throw Error(Status::invalid_format, error.what());
  }
  return file;
}

std::vector<std::byte> ModelFile::serialize() const {
  detail::check_model(*this, "the model cannot be written");
  const detail::DescriptionText text = detail::write_description(description);
  const auto length = [](const std::vector<double>& values) {
    return std::vector<std::int64_t>{static_cast<std::int64_t>(values.size())};
  };
  const Tensor constants = Tensor::from(detail::constants_tensor, length(text.constants), text.constants);
  const Tensor numbers = Tensor::from(detail::numbers_tensor, length(text.numbers), text.numbers);
  // Wide types first, so that every tensor is aligned to its type.
  std::vector<const Tensor*> order = {&constants, &numbers};
  for (const auto& tensor : tensors_) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(),
                   [](const Tensor* a, const Tensor* b) { return size_of(a->type) > size_of(b->type); });

  std::string header = "{" + std::string(metadata_key) + std::string(description_key);
  header.pop_back();  // quoted() brings its own
  header += quoted(text.json, "the description") + "," + std::string(digest_key);
  const std::size_t digest_at = prefix_size + header.size();
  header += std::string(zeros) + "\"}";
  std::uint64_t offset = 0;
  for (const Tensor* tensor : order) {
    header += "," + quoted(tensor->name, "a tensor's name") + ":{\"dtype\":\"" + to_string(tensor->type) + "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor->shape.size(); ++i) {
      header += (i == 0 ? "" : ",") + std::to_string(tensor->shape[i]);
    }
    header += "],\"data_offsets\":[" + std::to_string(offset) + ",";
    offset += tensor->bytes.size();
    header += std::to_string(offset) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > largest_header) {
    throw Error(Status::invalid_argument, "the model's header would have " + std::to_string(header.size()) +
                                              " bytes; at most " + std::to_string(largest_header) + " are accepted");
  }

  std::vector<std::byte> bytes;
  bytes.reserve(prefix_size + header.size() + static_cast<std::size_t>(offset));
  const std::uint64_t header_size = header.size();
  const auto append = [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); };
  append(std::as_bytes(std::span(&header_size, 1)));
  append(std::as_bytes(std::span(header)));
  for (const Tensor* tensor : order) append(tensor->bytes);
  digest_ = sha256(bytes);  // the digits still are zeros
  std::memcpy(bytes.data() + digest_at, digest_.data(), digest_digits);
  return bytes;
}

std::string ModelFile::write(const std::filesystem::path& path) const {
  write_file_atomically(path, serialize());
  return digest_;
}

std::uint64_t ModelFile::default_stream() const {
  if (digest_.empty()) {
    throw Error(Status::invalid_argument, "a model has no random stream before it was read or serialised");
  }
  return std::stoull(digest_.substr(0, 16), nullptr, 16);
}

}  // namespace lavoisier
