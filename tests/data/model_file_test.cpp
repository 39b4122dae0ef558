#include "expect_error.hpp"
#include "model_example.hpp"
#include "temporary_folder.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <bit>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace {

using namespace lavoisier;
using tests::column_model;
using tests::expect_error;
using tests::OpenedFile;

ModelFile parse(const std::vector<std::byte>& bytes) { return ModelFile::parse(bytes, "test"); }

void expect_same(const ModelFile& a, const ModelFile& b) {
  EXPECT_EQ(a.description, b.description);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const auto& tensor : a.tensors()) {
    const Tensor& other = b.tensor(tensor.name);
    EXPECT_EQ(tensor.type, other.type);
    EXPECT_EQ(tensor.shape, other.shape);
    EXPECT_EQ(tensor.bytes, other.bytes);
  }
}

TEST(ModelFile, RoundTripThroughAFile) {
  const tests::TemporaryFolder folder;
  const auto path = folder.path() / "model.safetensors";
  const ModelFile written = column_model();
  const std::string digest = written.write(path);
  const ModelFile read = ModelFile::read(path);
  expect_same(written, read);
  EXPECT_EQ(read.digest(), digest);
  EXPECT_EQ(written.digest(), digest);
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(read.serialize(), read_file(path)) << "what was read and written again has other bytes";
  EXPECT_EQ(read.tensor("w").f32()[24], 3.0f);
  EXPECT_EQ(read.tensor("w").elements(), 25);
  expect_error(Status::invalid_format, [&] { read.tensor("w").f64(); }, "'w'", "F64", "F32");
  expect_error(Status::not_found, [&] { read.tensor("input.scal"); }, "'input.scale'");
  expect_error(Status::not_found, [&] { ModelFile::read(folder.path() / "none"); }, "none");
}

// The bytes of version 2, fixed: a change here breaks every file that users have.
TEST(ModelFile, KnownAnswer) {
  const ModelFile model = column_model();
  EXPECT_EQ(model.serialize(), model.serialize());
  EXPECT_EQ(model.digest(), "baa89acf2bac129c083c5756c77de19c17df0cab64a537c5fbea5c43b2289709");
  EXPECT_EQ(model.default_stream(), 0xbaa89acf2bac129cu);
  expect_error(Status::invalid_argument, [] { column_model().default_stream(); }, "stream");
}

// The bytes of version 1, which had no key `subgraphs`, fixed too: such files stay readable, and keep their stream.
TEST(ModelFile, ReadsVersionOne) {
  OpenedFile file(column_model().serialize());
  file.replace("\\\"version\\\":2,\\\"layout", "\\\"version\\\":1,\\\"layout");
  file.replace("\\\"subgraphs\\\":{},", "");
  const ModelFile read = parse(file.sealed());
  EXPECT_EQ(read.digest(), "c21e1c7284a4f6dc1c05f80627bbac134676818c783c0448fb25da7aeffb9efa");
  EXPECT_EQ(read.default_stream(), 0xc21e1c7284a4f6dcu);
  EXPECT_EQ(read.version(), 1);
  expect_same(column_model(), read);
  EXPECT_EQ(parse(read.serialize()).version(), 2) << "what is written has this release's version";
}

// A model whose last value comes from a node that runs a subgraph.
ModelFile model_with_a_subgraph() {
  ModelFile file = column_model();
  auto& model = file.description;
  model.graph[1].outputs = {"condition"};
  model.graph.push_back({"sample", {"condition"}, {"outputs"}, {}, {{"subgraph", "denoiser"}}});
  model.subgraphs["denoiser"] = {
      {"concat", {"state", "condition"}, {"joined"}, {}, {}},
      {"dense", {"joined"}, {"prediction"}, {{"weight", "w"}, {"bias", "b"}}, {{"note", "\"inner\""}}}};
  return file;
}

TEST(ModelFile, SubgraphsRoundTrip) {
  const ModelFile written = model_with_a_subgraph();
  const ModelFile read = parse(written.serialize());
  expect_same(written, read);
  EXPECT_EQ(read.version(), 2);
  EXPECT_EQ(read.serialize(), written.serialize());
  ASSERT_EQ(read.description.subgraphs.at("denoiser").size(), 2u);
  EXPECT_EQ(read.description.subgraphs.at("denoiser")[1].attributes.at("note"), "\"inner\"");
  // The list belongs to the description: another list is another model.
  ModelFile other = model_with_a_subgraph();
  other.description.subgraphs["denoiser"][1].tensors["bias"] = "input.mean";
  EXPECT_NE(other.description, written.description);
  EXPECT_NE(other.serialize(), written.serialize());
  // A subgraph may be called twice; its names are its own.
  ModelFile twice = model_with_a_subgraph();
  twice.description.graph[2].outputs = {"first"};
  twice.description.graph.push_back({"sample", {"condition", "first"}, {"outputs"}, {}, {{"subgraph", "denoiser"}}});
  expect_same(twice, parse(twice.serialize()));
}

TEST(ModelFile, SubgraphsThatMakeNoSense) {
  const auto change = [&](auto edit, const std::string& part) {
    ModelFile model = model_with_a_subgraph();
    edit(model.description, model.description.subgraphs["denoiser"]);
    expect_error(Status::invalid_argument, [&] { model.serialize(); }, part);
  };
  change([](auto& m, auto&) { m.graph[2].attributes["subgraph"] = "decoder"; }, "'decoder', which is not in the file");
  change([](auto& m, auto&) { m.subgraphs.clear(); }, "'denoiser', which is not in the file");
  change([](auto& m, auto& s) { m.subgraphs["spare"] = s; }, "no node of the graph calls the subgraph 'spare'");
  change([](auto&, auto& s) { s.clear(); }, "no node of 'subgraphs.denoiser' makes 'prediction'");
  change([](auto&, auto& s) { s[1].outputs = {"y"}; }, "makes 'prediction'");
  change([](auto&, auto& s) { s[0].inputs[1] = "joined"; }, "subgraphs.denoiser[0] ('concat') uses 'joined'");
  change([](auto&, auto& s) { s[0].inputs[1] = "x0"; }, "uses 'x0', which no earlier node makes");  // not an input
  change([](auto&, auto& s) { s[0].outputs = {"state"}; }, "'state', which is empty or taken");
  change([](auto&, auto& s) { s[0].outputs = {"time"}; }, "'time', which is empty or taken");
  change([](auto&, auto& s) { s.push_back(s[1]); }, "'prediction', which is empty or taken");
  change([](auto&, auto& s) { s[0].outputs = {"x0"}; }, "makes 'x0', a name of the graph");
  change([](auto&, auto& s) { s[0].outputs = {"outputs"}; }, "makes 'outputs', a name of the graph");
  change([](auto&, auto& s) { s[0].outputs = {""}; }, "empty or taken");
  change([](auto&, auto& s) { s[0].outputs.clear(); }, "makes nothing");
  change([](auto&, auto& s) { s[0].op.clear(); }, "no operation");
  change([](auto&, auto& s) { s[1].tensors["weight"] = "gone"; }, "'gone' (weight) is not in the file");
  change([](auto&, auto& s) { s[0].attributes["subgraph"] = "denoiser"; }, "from within a subgraph");
  change([](auto& m, auto&) { m.graph[1].outputs = m.graph[2].inputs = {"state"}; }, "an input 'state'");
}

TEST(ModelFile, PythonsSafetensorsOpensIt) {
  const tests::TemporaryFolder folder;
  const auto path = folder.path() / "model.safetensors";
  column_model().write(path);
  const char* python = std::getenv("LAVOISIER_PYTHON");
  const std::string command = std::string(python == nullptr ? "python3" : python) + " " LAVOISIER_SOURCE_DIR
                              "/tests/data/safetensors_test.py " + path.string();
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "Python's safetensors module is not installed";
  if (WEXITSTATUS(status) == 127) GTEST_SKIP() << "no python3 on this machine";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ModelFile, EveryBitFlipIsRefused) {
  const auto good = column_model().serialize();
  ASSERT_NO_THROW(parse(good));
  auto bytes = good;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte{1} << bit;
      try {
        parse(bytes);
        ADD_FAILURE() << "bit " << bit << " of byte " << i << " flipped, and the file was accepted";
      } catch (const Error& error) {
        ASSERT_TRUE(error.status() == Status::digest_mismatch || error.status() == Status::invalid_format)
            << error.what();
      }
      bytes[i] = good[i];
    }
  }
}

TEST(ModelFile, EveryTruncationIsRefused) {
  const auto good = column_model().serialize();
  for (std::size_t size = 0; size < good.size(); ++size) {
    try {
      ModelFile::parse(std::span(good).first(size), "test");
      ADD_FAILURE() << "cut to " << size << " of " << good.size() << " bytes, and accepted";
    } catch (const Error& error) {
      ASSERT_TRUE(error.status() == Status::digest_mismatch || error.status() == Status::invalid_format) << error.what();
    }
  }
}

TEST(ModelFile, TrailingBytesAreRefused) {
  auto bytes = column_model().serialize();
  bytes.push_back(std::byte{0});
  expect_error(Status::digest_mismatch, [&] { parse(bytes); });
  OpenedFile file(column_model().serialize());
  file.data += '\0';
  expect_error(Status::invalid_format, [&] { parse(file.sealed()); }, "the tensors end at byte");
}

// Files whose digest holds, so that only the check in question can refuse them.
class Malformed : public ::testing::Test {
 protected:
  OpenedFile file{column_model().serialize()};
  void refused(const std::string& part, Status status = Status::invalid_format, bool pad = true) {
    const auto bytes = file.sealed(pad);
    expect_error(status, [&] { parse(bytes); }, part);
  }
};

TEST_F(Malformed, NotWithoutAChange) { EXPECT_NO_THROW(parse(file.sealed())); }

TEST_F(Malformed, DuplicateTensor) {
  file.replace("\"mask\":{", "\"mask\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"mask\":{");
  refused("'mask' stands twice");
}
TEST_F(Malformed, DuplicateTensorUnderAnEscapedName) {
  file.replace("\"mask\":{", "\"m\\u0061sk\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"mask\":{");
  refused("'mask' stands twice");
}
TEST_F(Malformed, DuplicateKeyOfATensor) {
  file.replace("\"mask\":{", "\"mask\":{\"dtype\":\"U8\",");
  refused("'dtype' stands twice");
}
TEST_F(Malformed, DuplicateDigest) {
  file.replace("\"sha256\":", "\"sha256\":\"" + std::string(64, '1') + "\",\"sha256\":");
  refused("more than one");
}
TEST_F(Malformed, DuplicateDescription) {
  file.replace("\"lavoisier\":", "\"lavoisier\":\"{}\",\"lavoisier\":");
  refused("more than one");
}
TEST_F(Malformed, DuplicateDescriptionUnderAnEscapedName) {
  file.replace("\"lavoisier\":", "\"lavoisie\\u0072\":\"{}\",\"lavoisier\":");
  refused("'lavoisier' stands twice");
}
TEST_F(Malformed, DuplicateKeyInTheDescription) {
  file.replace("\\\"version\\\":2,\\\"layout", "\\\"version\\\":2,\\\"version\\\":2,\\\"layout");
  refused("'version' stands twice");
}
TEST_F(Malformed, EscapedKeys) {
  file.replace("\"lavoisier\":", "\"l\\u0061voisier\":");
  refused("exactly once; found none");
  file = OpenedFile(column_model().serialize());
  file.replace("\"__metadata__\":", "\"__met\\u0061data__\":");
  refused("exactly once; found none");
  file = OpenedFile(column_model().serialize());
  file.replace("\"sha256\":", "\"sha25\\u0036\":");
  refused("exactly once; found none");
}
TEST_F(Malformed, ExtraMetadata) {
  file.replace("\"__metadata__\":{", "\"__metadata__\":{\"format\":\"pt\",");
  refused("unknown key 'format'");
}
TEST_F(Malformed, DigestOutsideMetadata) {
  const auto at = file.header.find(",\"sha256\":\"");
  const std::string digest = file.header.substr(at + 1, 10 + 64 + 1);
  file.header.erase(at, digest.size() + 1);
  file.replace("\"mask\":{", "\"mask\":{" + digest + ",");
  refused("'sha256' is missing");
}
TEST_F(Malformed, UpperCaseDigest) {
  auto bytes = file.sealed();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = text.find("\"sha256\":\"") + 10;
  for (std::size_t i = at; i < at + 64; ++i) bytes[i] = static_cast<std::byte>(std::toupper(text[i]));
  expect_error(Status::digest_mismatch, [&] { parse(bytes); });
}
TEST_F(Malformed, Gap) {
  // The last tensor moves up by four bytes, which are there.
  const auto at = file.header.rfind("\"data_offsets\":[");
  const auto end = file.header.find(']', at);
  const auto comma = file.header.find(',', at);
  const auto begin = std::stoll(file.header.substr(at + 16, comma - at - 16));
  file.header.replace(at, end - at, "\"data_offsets\":[" + std::to_string(begin + 4) + "," + std::to_string(begin + 7));
  file.data += std::string(4, '\0');
  refused("(a gap)");
}
TEST_F(Malformed, Overlap) {
  file.replace("\"data_offsets\":[16,", "\"data_offsets\":[8,");
  refused("does not fit");
  file = OpenedFile(column_model().serialize());
  // input.mean and input.scale have one size: the second onto the first.
  const auto key = file.header.find("\"input.scale\"");
  const auto at = file.header.find("[", file.header.find("data_offsets", key));
  const auto end = file.header.find("]", at);
  const auto mean = file.header.find("[", file.header.find("data_offsets", file.header.find("\"input.mean\":")));
  file.header.replace(at, end - at, file.header.substr(mean, file.header.find("]", mean) - mean));
  refused("(an overlap)");
}
TEST_F(Malformed, SizesThatOverflow) {
  // Each wraps to 0 bytes in 64 bits, which is what its offsets say.
  for (const char* size : {"\"U8\",\"shape\":[4294967296,4294967296]", "\"F64\",\"shape\":[2305843009213693952]",
                           "\"F64\",\"shape\":[4294967296,536870912]",
                           "\"U8\",\"shape\":[4611686018427387904,2,2]"}) {
    file = OpenedFile(column_model().serialize());
    file.replace("\"mask\":{", std::string("\"big\":{\"dtype\":") + size + ",\"data_offsets\":[0,0]},\"mask\":{");
    refused("does not fit");
  }
  for (const char* shape : {"[18446744073709551615]", "[9223372036854775808]"}) {
    file = OpenedFile(column_model().serialize());
    file.replace("\"mask\":{\"dtype\":\"U8\",\"shape\":[3]", std::string("\"mask\":{\"dtype\":\"F64\",\"shape\":") + shape);
    refused("larger than 2^63");
  }
  for (const char* shape : {"[18446744073709551616]", "[3.0]", "[3e0]", "[1e400]"}) {
    file = OpenedFile(column_model().serialize());
    file.replace("\"mask\":{\"dtype\":\"U8\",\"shape\":[3]", std::string("\"mask\":{\"dtype\":\"U8\",\"shape\":") + shape);
    refused("test: header");
  }
  file = OpenedFile(column_model().serialize());
  file.replace("\"mask\":{\"dtype\":\"U8\",\"shape\":[3]", "\"mask\":{\"dtype\":\"U8\",\"shape\":[-3]");
  refused("negative");
}
TEST_F(Malformed, OffsetsThatMakeNoSense) {
  file.replace("\"data_offsets\":[0,16]", "\"data_offsets\":[16,0]");
  refused("before the beginning");
  file = OpenedFile(column_model().serialize());
  file.replace("\"data_offsets\":[0,16]", "\"data_offsets\":[0,16,16]");
  refused("two numbers");
  file = OpenedFile(column_model().serialize());
  file.replace("\"data_offsets\":[0,16]", "\"data_offsets\":[18446744073709551600,0]");
  refused("2^63");
}
TEST_F(Malformed, Types) {
  file.replace("\"dtype\":\"U8\"", "\"dtype\":\"F8\"");
  refused("found 'F8'");
  file = OpenedFile(column_model().serialize());
  file.replace("\"dtype\":\"U8\"", "\"dtype\":8");
  refused("expected a string, found an integer");
  file = OpenedFile(column_model().serialize());
  file.replace("\"dtype\":\"U8\",", "");
  refused("'dtype' is missing");
}
TEST_F(Malformed, HeaderLengths) {
  const auto with_length = [&](std::uint64_t length) {
    auto bytes = file.sealed();
    std::memcpy(bytes.data(), &length, 8);
    return bytes;
  };
  for (const std::uint64_t length : {~std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{64} << 20) + 1}) {
    expect_error(Status::invalid_format, [&] { parse(with_length(length)); }, "at most 67108864");
  }
  expect_error(Status::invalid_format, [&] { parse(with_length(std::uint64_t{64} << 20)); }, "cut short");
  expect_error(Status::invalid_format, [&] { parse(with_length(0)); }, "found none");
  expect_error(Status::invalid_format, [] { parse({}); }, "0 bytes");
}
TEST_F(Malformed, HeaderText) {
  file.header = " " + file.header;
  refused("begin with '{'");
  file = OpenedFile(column_model().serialize());
  file.header.erase(file.header.find_last_not_of(' ') + 1);
  while (file.header.size() % 8 != 1) file.header += ' ';
  refused("padded", Status::invalid_format, false);
  file = OpenedFile(column_model().serialize());
  file.header.erase(file.header.find_last_not_of(' ') + 1);
  const std::string good = file.header;
  file.header = good + "{}";
  refused("no valid JSON");
  file.header = good + std::string(1, '\0') + "}";
  refused("NUL");
  file.header = good;
  file.header.insert(1, "\"a\":" + std::string(100, '[') + std::string(100, ']') + ",");
  refused("nested deeper");
  file.header = good;
  file.header.insert(1, "\"\xff\":{},");
  refused("no valid JSON");
  file.header = good;
  file.header.insert(1, "\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},");
  refused("without a name");
}
TEST_F(Malformed, Versions) {
  for (const char* version : {"3", "0"}) {
    file = OpenedFile(column_model().serialize());
    file.replace("\\\"version\\\":2,\\\"layout", std::string("\\\"version\\\":") + version + ",\\\"layout");
    refused(std::string("format version ") + version, Status::unsupported_version);
  }
  // Version 1 has no subgraphs, version 2 always has the key.
  file = OpenedFile(column_model().serialize());
  file.replace("\\\"version\\\":2,\\\"layout", "\\\"version\\\":1,\\\"layout");
  refused("unknown key 'subgraphs'");
  file = OpenedFile(column_model().serialize());
  file.replace("\\\"subgraphs\\\":{},", "");
  refused("'subgraphs' is missing");
  file = OpenedFile(column_model().serialize());
  file.replace("lavoisier-model", "another-model");
  refused("found 'another-model'");
}
TEST_F(Malformed, Description) {
  const auto change = [&](const std::string& from, const std::string& to, const std::string& part) {
    file = OpenedFile(column_model().serialize());
    file.replace(from, to);
    refused(part);
  };
  change("\\\"constants\\\":[", "\\\"mask\\\":1,\\\"constants\\\":[", "unknown key 'mask'");
  change("\\\"kind\\\":\\\"level\\\"", "\\\"kind\\\":\\\"depth\\\"", "'depth' is none of the legal words");
  change("\\\"extent\\\":3", "\\\"extent\\\":4", "'input.minimum' must be F64 of shape [6]");
  change("\\\"extent\\\":3", "\\\"extent\\\":9223372036854775807", "2^63");
  change("[\\\"number\\\",0]", "[\\\"number\\\",1]", "expected index 0");
  change("[\\\"number\\\",0]", "[\\\"number\\\",99]", "found 99");
  change("[\\\"number\\\",0]", "[\\\"symbol\\\",\\\"third\\\"]", "expected index 0");
  change("[\\\"negate\\\"]", "[\\\"exp\\\"]", "unknown operation 'exp'");
  change("[\\\"negate\\\"]", "[\\\"negate\\\",1]", "takes 0 operands");
  change("[\\\"negate\\\"]", "[\\\"add\\\"]", "needs 2 operands");
  change("[\\\"symbol\\\",\\\"third\\\"]", "[\\\"symbol\\\",\\\"rain\\\"]", "linear in the outputs");
  change("\\\"scope\\\":\\\"global\\\"", "\\\"scope\\\":\\\"planet\\\"", "found 'planet'");
  change("{\\\"name\\\":\\\"third\\\",\\\"units\\\":\\\"1\\\"}", "{\\\"name\\\":\\\"g\\\",\\\"units\\\":\\\"1\\\"}", "'g' stands twice");
  change(",{\\\"name\\\":\\\"third\\\",\\\"units\\\":\\\"1\\\"}", "", "1 constants, but");
  change("\\\"weight\\\":\\\"w\\\"", "\\\"weight\\\":\\\"v\\\"", "'v' (weight) is not in the file");
  change("\\\"inputs\\\":[\\\"x0\\\"]", "\\\"inputs\\\":[\\\"x1\\\"]", "'x1', which no earlier node makes");
  change("\\\"outputs\\\":[\\\"outputs\\\"]", "\\\"outputs\\\":[\\\"y\\\"]", "no node of the graph makes 'outputs'");
  change("\\\"variables\\\":[\\\"dq\\\",", "\\\"variables\\\":[\\\"ps\\\",", "no output of the layout");
  change("\"laws.numbers\":{", "\"laws.number\":{", "'laws.numbers' must be there");
  change("\"input.minimum\":{", "\"input.lowest\":{", "'input.minimum' is not in the file");
}
TEST_F(Malformed, Subgraphs) {
  const auto change = [&](const std::string& from, const std::string& to, const std::string& part) {
    file = OpenedFile(model_with_a_subgraph().serialize());
    file.replace(from, to);
    refused(part);
  };
  const std::string name = "\\\"subgraphs\\\":{\\\"denoiser\\\":[";
  change(name, "\\\"subgraphs\\\":{\\\"denoiser\\\":[],\\\"denoiser\\\":[", "'denoiser' stands twice");
  change(name, "\\\"subgraphs\\\":{\\\"decoder\\\":[", "'denoiser', which is not in the file");
  change(name, "\\\"subgraphs\\\":{\\\"denoiser\\\":[{},", "is missing");
  change("\\\"subgraphs\\\":{", "\\\"subgraphs\\\":{\\\"a\\\":3,", "found an integer");
  change("[\\\"joined\\\"],\\\"outputs\\\":[\\\"prediction\\\"]", "[\\\"joint\\\"],\\\"outputs\\\":[\\\"prediction\\\"]",
         "subgraphs.denoiser[1] ('dense') uses 'joint'");
}
TEST_F(Malformed, MoreValuesThanAnyModelHas) {
  std::string ones = "\"mask\":[1";
  for (int i = 0; i < 1100000; ++i) ones += ",1";
  file.replace("\"mask\":{", ones + "],\"mask2\":{");
  refused("more than 1048576 values");
}
TEST_F(Malformed, NumbersThatAreNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // constants.values come first, then laws.numbers.
  std::memcpy(file.data.data(), &nan, 8);
  refused("constant 'g' is not finite");
  file = OpenedFile(column_model().serialize());
  std::memcpy(file.data.data() + 16, &nan, 8);
  refused("not finite");
}

TEST(ModelFile, WritingRefusesWhatReadingWould) {
  const auto bad = Status::invalid_argument;
  const auto change = [&](auto edit, Status status, const std::string& part) {
    ModelFile model = column_model();
    edit(model);
    expect_error(status, [&] { model.serialize(); }, part);
  };
  change([](ModelFile& m) { m.description.laws[1].name = "moisture"; }, bad, "'moisture' stands twice");
  change([](ModelFile& m) { m.description.laws[0].terms[0].variable = "ps"; }, bad, "expected an output");
  change([](ModelFile& m) { m.description.graph[1].tensors["weight"] = "gone"; }, bad, "'gone'");
  change([](ModelFile& m) { m.description.provenance["note"] = "\xff"; }, bad, "UTF-8");
  change([](ModelFile& m) { m.description.constants[0].name = "ps"; }, bad, "both a constant and a variable");
  change([](ModelFile& m) { m.description.heads[0].variables = {"dq", "dq"}; }, bad, "stands twice");
  ModelFile model = column_model();
  const double one = 1.0;
  const std::span<const double> values(&one, 1);
  expect_error(bad, [&] { model.add(Tensor::from("w", {1}, values)); }, "already");
  expect_error(bad, [&] { model.add(Tensor::from("laws.numbers", {1}, values)); }, "reserved");
  expect_error(bad, [&] { model.add(Tensor::from("", {1}, values)); }, "name");
  expect_error(bad, [&] { Tensor::from("v", {2}, values); }, "[2]", "1 values");
  expect_error(bad, [&] { Tensor::from("v", {-1}, values); }, "[-1]");
  Tensor wrong = Tensor::from("v", {1}, values);
  wrong.bytes.pop_back();
  expect_error(bad, [&] { model.add(wrong); }, "7 bytes");
}

// One row of A(x) y = b(x) for one sample, elements of the outputs in layout order.
struct Row {
  std::vector<double> coefficients;
  double right_hand_side = 0.0;
  bool operator==(const Row&) const = default;
};

Row evaluate(const ModelDescription& model, const Law& law, const SymbolLookup& lookup) {
  Row row;
  row.coefficients.assign(static_cast<std::size_t>(model.layout.elements(Role::output)), 0.0);
  for (const auto& term : law.terms) {
    const auto value = term.coefficient.evaluate(lookup);
    const auto first = static_cast<std::size_t>(model.layout.offset(term.variable));
    const auto count = static_cast<std::size_t>(model.layout.elements(model.layout.variable(term.variable)));
    for (std::size_t i = 0; i < count; ++i) {
      row.coefficients[first + i] += value.values[value.values.size() == 1 ? 0 : i];
    }
  }
  row.right_hand_side = law.right_hand_side.evaluate_scalar(lookup);
  return row;
}

TEST(ModelFile, LawWithACoefficientOfEachSampleEvaluatesTheSame) {
  const ModelFile written = column_model();
  const ModelFile read = parse(written.serialize());
  for (int sample = 0; sample < 50; ++sample) {
    const double ps = 95000.0 + 123.456 * sample, evaporation = 1e-5 * sample / 7.0;
    const std::vector<double> dsigma = {0.1 + 0.001 * sample, 1.0 / 3.0, 0.9 - 1.0 / 3.0 - 0.001 * sample};
    const SymbolLookup lookup = [&](const std::string& name) -> ExpressionValue {
      if (name == "ps") return {{}, {}, {ps}, {}};
      if (name == "evaporation") return {{}, {}, {evaporation}, {}};
      if (name == "dsigma") return {{"level"}, {3}, dsigma, {}};
      for (const auto& constant : read.description.constants) {
        if (constant.name == name) return {{}, {}, {constant.value}, {}};
      }
      throw Error(Status::not_found, name);
    };
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(evaluate(read.description, read.description.laws[i], lookup),
                evaluate(written.description, written.description.laws[i], lookup));
    }
    const Row row = evaluate(read.description, read.description.laws[0], lookup);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(row.coefficients[k], ps * dsigma[k] / 9.80665);
    EXPECT_EQ(row.coefficients[3], 1.0);
    EXPECT_EQ(row.coefficients[4], 0.0);
    EXPECT_EQ(row.right_hand_side, evaporation);
  }
}

}  // namespace
