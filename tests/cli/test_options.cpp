// Parsing of options: command line over config file over defaults; unknown names are refused with the nearest.

#include <options.hpp>

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <filesystem>

#include <unistd.h>

namespace {

using namespace lavoisier::cli;

const Command command = {"brew",
                         "a test",
                         "lavoisier brew --cups 3",
                         "file",
                         {{"cups", "N", "how many", "2", false},
                          {"strength", "X", "of it", "", false},
                          {"beans", "NAME", "which", "", true},
                          {"file", "FILE", "where", "", false},
                          {"milk", "", "with milk", "", false}}};

Arguments parsed(std::vector<const char*> words) {
  Arguments arguments;
  EXPECT_TRUE(parse(command, static_cast<int>(words.size()), words.data(), arguments));
  return arguments;
}

std::string refused(std::vector<const char*> words) {
  Arguments arguments;
  try {
    parse(command, static_cast<int>(words.size()), words.data(), arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

struct ConfigFile {
  std::string path;
  explicit ConfigFile(const std::string& text)
      : path(std::filesystem::temp_directory_path() / ("lavoisier-options-" + std::to_string(getpid()) + ".cfg")) {
    lavoisier::write_file_atomically(path, text);
  }
  ~ConfigFile() { std::filesystem::remove(path); }
};

TEST(Options, DefaultsAndValues) {
  const Arguments none = parsed({});
  EXPECT_EQ(none.integer("cups", 0, 9), 2);
  EXPECT_FALSE(none.given("cups"));
  EXPECT_FALSE(none.has("strength"));
  EXPECT_FALSE(none.flag("milk"));
  const Arguments some = parsed({"--cups", "3", "--milk", "--beans", "a,b", "c", "--strength=0.5"});
  EXPECT_EQ(some.integer("cups", 0, 9), 3);
  EXPECT_TRUE(some.flag("milk"));
  EXPECT_EQ(some.words("beans"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(some.number("strength", 0, 1), 0.5);
  EXPECT_EQ(parsed({"here"}).text("file"), "here");
}

TEST(Options, UnknownOnesNameTheNearest) {
  EXPECT_NE(refused({"--cup", "3"}).find("unknown option 'cup'; did you mean 'cups'?"), std::string::npos);
  EXPECT_NE(refused({"--strenth=1"}).find("'strength'"), std::string::npos);
  EXPECT_NE(refused({"--cu", "3"}), "");  // no abbreviations
  EXPECT_NE(refused({"--milk", "here", "there"}).find("unexpected word 'there'"), std::string::npos);
}

TEST(Options, BadValuesNameOptionAndValue) {
  const Arguments arguments = parsed({"--cups", "3x", "--strength", "7"});
  try {
    arguments.integer("cups", 0, 9);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "--cups: expected a whole number from 0 to 9, found '3x'");
  }
  EXPECT_THROW(arguments.number("strength", 0, 1), UsageError);
  EXPECT_THROW(arguments.text("file"), UsageError);
  EXPECT_THROW(arguments.choice("strength", {"weak", "strong"}), UsageError);
  EXPECT_NE(refused({"--cups", "1", "--cups", "2"}), "");
  EXPECT_NE(refused({"--cups"}), "");
}

TEST(Options, ConfigFileIsOverruledByTheCommandLine) {
  const ConfigFile file("# coffee\ncups = 5\nstrength = \"0.25\"\nbeans = a\nbeans = b\nmilk = true\n");
  const Arguments arguments = parsed({"--config", file.path.c_str(), "--cups", "4"});
  EXPECT_EQ(arguments.integer("cups", 0, 9), 4);
  EXPECT_EQ(arguments.number("strength", 0, 1), 0.25);
  EXPECT_EQ(arguments.list("beans"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(arguments.flag("milk"));
  EXPECT_TRUE(arguments.given("strength"));
  EXPECT_EQ(arguments.resolved().at("cups"), "4");
}

TEST(Options, ConfigFileWithAnUnknownKeyIsRefused) {
  const ConfigFile file("cps = 5\n");
  const std::string message = refused({"--config", file.path.c_str()});
  EXPECT_NE(message.find(file.path), std::string::npos);
  EXPECT_NE(message.find("unknown option 'cps'; did you mean 'cups'?"), std::string::npos);
  Arguments arguments;
  const char* missing[] = {"--config", "no-such-file.cfg"};
  EXPECT_THROW(parse(command, 2, missing, arguments), lavoisier::Error);
}

TEST(Options, HelpListsEveryOptionAndTheExample) {
  const std::string help = help_text(command);
  for (const Option& option : command.options) EXPECT_NE(help.find("--" + option.name), std::string::npos);
  EXPECT_NE(help.find("lavoisier brew --cups 3"), std::string::npos);
}

}  // namespace
