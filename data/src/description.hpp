#ifndef LAVOISIER_DESCRIPTION_HPP
#define LAVOISIER_DESCRIPTION_HPP

// ModelDescription to and from the JSON text of docs/model-file.md. Private to data.

#include <lavoisier/model_file.hpp>

#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

inline constexpr const char* numbers_tensor = "laws.numbers";
inline constexpr const char* constants_tensor = "constants.values";

struct DescriptionText {
  std::string json;
  std::vector<double> numbers;    ///< for laws.numbers
  std::vector<double> constants;  ///< for constants.values
};

/// Errors: invalid_argument (text that is not UTF-8).
DescriptionText write_description(const ModelDescription& description);

/// Errors: invalid_format, unsupported_version.
struct VersionedDescription {
  ModelDescription description;
  int version = 0;
};
VersionedDescription read_description(const std::string& json, std::span<const double> numbers,
                                      std::span<const double> constants, const std::string& origin);

/// Whether description and tensors fit together; throws Error, `where` first in its message.
void check_model(const ModelFile& file, const std::string& where);

}  // namespace lavoisier::detail

#endif
