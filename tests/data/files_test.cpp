#include "expect_error.hpp"
#include "temporary_folder.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

namespace {

using namespace lavoisier;
using tests::expect_error;
using tests::TemporaryFolder;

std::string content(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// FIPS 180-4's examples, and a million letters a.
TEST(Files, Sha256KnownAnswers) {
  const auto hash = [](const std::string& text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Files, WritesReadsAndHashes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a";
  const std::string text(3000001, 'a');
  write_file_atomically(path, text);
  EXPECT_EQ(content(path), text);
  EXPECT_EQ(sha256_of_file(path), sha256(read_file(path)));
  write_file_atomically(path, std::string("new"));
  EXPECT_EQ(content(path), "new");
  write_file_atomically(path, std::string());
  EXPECT_EQ(content(path), "");
  EXPECT_EQ(files_in(folder.path()), 1u) << "a temporary file was left";
}

TEST(Files, FailuresSayPathAndReasonAndLeaveNothing) {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "missing" / "file";
  expect_error(Status::not_found, [&] { read_file(missing); }, missing.string(), "No such file");
  expect_error(Status::not_found, [&] { sha256_of_file(missing); }, missing.string());
  expect_error(Status::io_error, [&] { write_file_atomically(missing, std::string("x")); }, missing.string());
  expect_error(Status::io_error, [&] { read_file(folder.path()); }, folder.path().string());
  expect_error(Status::not_found, [&] { free_space(missing); }, "missing");
  EXPECT_GT(free_space(folder.path() / "file"), 0u);
  // A folder in the place of the file: the rename fails, the temporary goes.
  std::filesystem::create_directories(folder.path() / "taken" / "full");
  expect_error(Status::io_error, [&] { write_file_atomically(folder.path() / "taken", std::string("x")); }, "taken");
  EXPECT_EQ(files_in(folder.path()), 1u);
  expect_error(Status::io_error, [&] { commit_file(folder.path() / "never_written", folder.path() / "b"); }, "never_written");
}

TEST(Files, CommitPutsAFileOfSomebodyElseInPlace) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "member_0001.nc";
  const auto temporary = temporary_name_for(path);
  EXPECT_NE(temporary, temporary_name_for(path));
  EXPECT_EQ(temporary.parent_path(), path.parent_path());
  std::ofstream(temporary) << "data";
  commit_file(temporary, path);
  EXPECT_EQ(content(path), "data");
  EXPECT_FALSE(std::filesystem::exists(temporary));
}

TEST(Files, NamesThatAKilledProcessLeftBehindAreNotTaken) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "file";
  // The names that come next, as a process with our number may have left them.
  const auto text = temporary_name_for(path).string();
  const auto dash = text.rfind('-') + 1;
  const unsigned long next = std::stoul(text.substr(dash)) + 1;
  for (unsigned long i = next; i < next + 5; ++i) std::ofstream(text.substr(0, dash) + std::to_string(i)) << "half";
  EXPECT_FALSE(std::filesystem::exists(temporary_name_for(path)));
  for (unsigned long i = next + 6; i < next + 12; ++i) std::ofstream(text.substr(0, dash) + std::to_string(i)) << "half";
  write_file_atomically(path, std::string("whole"));
  EXPECT_EQ(content(path), "whole");
  EXPECT_EQ(files_in(folder.path()), 12u);
}

TEST(Files, AFailedWriteLeavesTheOldFile) {
  // A limit on the size of files: the write fails half-way.
  const TemporaryFolder folder;
  const auto path = folder.path() / "file";
  write_file_atomically(path, std::string("old"));
  struct rlimit old_limit {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = old_limit;
  limit.rlim_cur = 100000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  Status status = Status::ok;
  std::string message;
  try {
    write_file_atomically(path, std::string(1000000, 'x'));
  } catch (const Error& error) {
    status = error.status();
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status, Status::io_error);
  EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Files, AFullDiskIsNamed) {
  // A small file system of its own, in a process of its own.
  const TemporaryFolder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int code = 1;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=65536") != 0) {
      code = 77;
    } else {
      const auto path = folder.path() / "file";
      write_file_atomically(path, std::string("old"));
      try {
        write_file_atomically(path, std::string(1000000, 'x'));
      } catch (const Error& error) {
        code = error.status() == Status::no_space && content(path) == "old" && files_in(folder.path()) == 1 &&
                       free_space(path) < 65536
                   ? 0
                   : 2;
      }
    }
    _exit(code);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this user may not mount a small file system";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
