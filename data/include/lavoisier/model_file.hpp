#ifndef LAVOISIER_MODEL_FILE_HPP
#define LAVOISIER_MODEL_FILE_HPP

#include <lavoisier/law.hpp>
#include <lavoisier/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

enum class TensorType { f64, f32, i64, i32, u8 };

std::size_t size_of(TensorType type) noexcept;
const char* to_string(TensorType type) noexcept;  ///< safetensors' spelling: F64, F32, I64, I32, U8

/// A named array, row-major, owning its bytes (little-endian, as in the file).
struct Tensor {
  std::string name;
  TensorType type = TensorType::f64;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  static Tensor from(std::string name, std::vector<std::int64_t> shape, std::span<const double> values);
  static Tensor from(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
  static Tensor from(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values);

  std::int64_t elements() const;
  /// Typed views; Error(invalid_format) names the tensor and both types if the type differs.
  std::span<const double> f64() const;
  std::span<const float> f32() const;
  std::span<const std::int64_t> i64() const;
};

/// One node of the graph of operations. docs/model-file.md lists the operations, their operands, tensors and attributes.
struct GraphOperation {
  std::string op;                              ///< "standardize", "dense", "silu", ...
  std::vector<std::string> inputs;             ///< names of values made by earlier nodes, or "inputs"
  std::vector<std::string> outputs;
  std::map<std::string, std::string> tensors;  ///< operand -> tensor name
  std::map<std::string, std::string> attributes;
  bool operator==(const GraphOperation&) const = default;
};

/// A block of outputs and the family of its distribution.
struct Head {
  std::string name;
  std::string family;                  ///< "gaussian_diagonal"
  std::vector<std::string> variables;  ///< outputs, in layout order
  std::string strategy;                ///< "none", "projection", "post_hoc", "conditional"
  bool operator==(const Head&) const = default;
};

/// Everything in the model file but the tensors. Numbers that matter (coefficients, scalers, ranges) are F64 tensors:
/// writing moves the numbers of `laws` and `constants` into the tensors `laws.numbers` and `constants.values`, reading
/// puts them back.
struct ModelDescription {
  StateLayout layout;
  std::vector<Constant> constants;
  std::vector<Law> laws;
  std::vector<Head> heads;
  std::vector<GraphOperation> graph;
  /// Lists of nodes that a node of `graph` runs many times: its attribute `subgraph` names one (docs/model-file.md).
  std::map<std::string, std::vector<GraphOperation>> subgraphs;
  std::map<std::string, std::string> provenance;  ///< version, domain, resolved options, data digests, scores
  bool operator==(const ModelDescription&) const = default;
};

/// A model file: safetensors with a digest (DESIGN, "Files"). Tensors whose names every model has:
/// `input.minimum`, `input.maximum` (F64, input elements): training ranges.
class ModelFile {
 public:
  static constexpr int format_version = 2;  ///< written; version 1 (without subgraphs) is read too

  ModelFile() = default;
  ModelDescription description;

  /// Adds a tensor; Error(invalid_argument) if the name is taken or reserved, or bytes and shape disagree. Reserved:
  /// `laws.numbers` and `constants.values`, which hold the numbers of `description` and never stand in tensors().
  void add(Tensor tensor);
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  bool has_tensor(const std::string& name) const noexcept;
  const Tensor& tensor(const std::string& name) const;  ///< Error(not_found)

  /// Reads and verifies: sizes, header, gaps, overlaps, trailing bytes, digest, version. Nothing is used before the
  /// digest holds. Errors: not_found, io_error, invalid_format, digest_mismatch, unsupported_version.
  static ModelFile read(const std::filesystem::path& path);
  /// The same from memory; `origin` names it in messages. For hosts where one rank reads and broadcasts.
  static ModelFile parse(std::span<const std::byte> bytes, const std::string& origin);

  /// The file's bytes, digest filled in; the same description and tensors give the same bytes. Errors: those of
  /// validate_law, invalid_argument where parse() would refuse the result.
  std::vector<std::byte> serialize() const;
  /// serialize() to a temporary name beside `path`, synced, renamed, folder synced; returns the digest.
  std::string write(const std::filesystem::path& path) const;

  /// The format version of the file that was read; format_version for a model made in memory.
  int version() const noexcept { return version_; }
  /// 64 lower-case hex digits as read or last serialised; empty before.
  const std::string& digest() const noexcept { return digest_; }
  /// The digest's first 16 hex digits as one big-endian number: the default random stream.
  std::uint64_t default_stream() const;

 private:
  std::vector<Tensor> tensors_;
  int version_ = format_version;
  mutable std::string digest_;
};

}  // namespace lavoisier

#endif
