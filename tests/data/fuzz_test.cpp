#include "model_example.hpp"

#include <lavoisier/model_file.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace {

using namespace lavoisier;
using tests::OpenedFile;

// Random changes of a valid file, its digest made to hold again so that the deeper checks are reached. Whatever comes
// in, the answer is an Error or a model that can be written and read again.
TEST(ModelFile, RandomChangesGiveAnErrorOrAModel) {
  const OpenedFile good[] = {OpenedFile(tests::column_model().serialize()),
                             OpenedFile(tests::model_with_a_subgraph().serialize())};
  const std::vector<std::string> pieces = {"{", "}", "[", "]", ",", ":", "\"", "\\\"", "\\", "null", "true", "-1", "0",
                                           "9223372036854775807", "18446744073709551615", "1e999", "\\u0000", "\xc3",
                                           "\\\"sum\\\"", "\\\"number\\\"", "\\\"level\\\"", "F32", "I64", "global", " "};
  std::mt19937_64 engine(20260101);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(engine() % n); };
  std::map<std::string, int> outcomes;
  for (int i = 0; i < 20000; ++i) {
    OpenedFile file = good[i % 2];
    const int changes = 1 + static_cast<int>(below(3));
    for (int c = 0; c < changes; ++c) {
      std::string& text = file.header;
      const std::size_t at = below(text.size());
      switch (below(8)) {
        case 0: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
        case 1: text[at] = static_cast<char>(engine()); break;
        case 2: text.erase(at, 1 + below(20)); break;
        case 3: text.insert(at, pieces[below(pieces.size())]); break;
        case 4: text.replace(at, std::min<std::size_t>(1 + below(4), text.size() - at), pieces[below(pieces.size())]); break;
        case 5: {  // a piece of the text again somewhere else
          const std::string copied = text.substr(at, 1 + below(80));
          text.insert(below(text.size()), copied);
          break;
        }
        case 6: {  // another digit, so that numbers change and stay numbers
          std::size_t digit = text.find_first_of("0123456789", at);
          if (digit != std::string::npos) text[digit] = static_cast<char>('0' + below(10));
          break;
        }
        default:
          if (!file.data.empty()) file.data[below(file.data.size())] = static_cast<char>(engine());
          if (below(4) == 0) file.data.resize(below(file.data.size() + 16));
      }
      if (text.empty()) text = "{";
    }
    const auto bytes = file.sealed(below(8) != 0);
    try {
      const ModelFile model = ModelFile::parse(bytes, "fuzz");
      const ModelFile again = ModelFile::parse(model.serialize(), "fuzz again");
      ASSERT_EQ(again.description, model.description);
      for (const auto& law : model.description.laws) (void)law.right_hand_side.text();
      ++outcomes["accepted"];
    } catch (const Error& error) {
      ASSERT_TRUE(error.status() == Status::invalid_format || error.status() == Status::digest_mismatch ||
                  error.status() == Status::unsupported_version)
          << status_name(error.status()) << ": " << error.what();
      ++outcomes[status_name(error.status())];
    }
  }
  for (const auto& [outcome, count] : outcomes) std::printf("  %s: %d\n", outcome.c_str(), count);
  EXPECT_GT(outcomes["accepted"], 100) << "the changes never leave a valid file";
  EXPECT_GT(outcomes["invalid_format"], 5000) << "the deeper checks are not reached";
}

}  // namespace
