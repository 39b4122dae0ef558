// Each bad input: exit code, a message that says what is wrong and where, and nothing left half-written.

#include "command.hpp"

#include <netcdf.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

namespace {

using namespace lavoisier::testing;

const std::string train = "train --domain ocean_heat_budget --hidden 8 --epochs 1 --quiet ";

/// A copy of the ocean's file, opened for changes.
class ChangedFile {
 public:
  ChangedFile(const Folder& folder) : path_(folder / "changed.cdf") {
    std::filesystem::copy_file(ocean_file, path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    check(nc_open(path_.c_str(), NC_WRITE, &file_));
    check(nc_redef(file_));
  }
  ~ChangedFile() { done(); }
  const std::string& done() {
    if (file_ >= 0) check(nc_close(file_));
    file_ = -1;
    return path_;
  }
  int id(const char* variable) const {
    int result = -1;
    check(nc_inq_varid(file_, variable, &result));
    return result;
  }
  static void check(int status) { ASSERT_EQ(status, NC_NOERR) << nc_strerror(status); }
  int file() const { return file_; }

 private:
  std::string path_;
  int file_ = -1;
};

/// Training on `data` fails with 2, says `fragments`, and leaves no model and no temporary.
void expect_refused(const std::string& data, const std::vector<std::string>& fragments, const std::string& more = "") {
  const Folder folder;
  const Outcome outcome = run(train + "--data " + data + " --output " + (folder / "m.safetensors").string() + " " + more);
  EXPECT_EQ(outcome.code, 2) << outcome.out << outcome.err;
  for (const std::string& fragment : fragments) EXPECT_SAYS(outcome.err, fragment);
  EXPECT_TRUE(folder.names().empty()) << folder.names().front();
}

TEST(BadInput, MissingFile) { expect_refused("no-such-file.nc", {"no-such-file.nc"}); }

TEST(BadInput, FileThatIsNoNetcdf) {
  const Folder folder;
  std::ofstream(folder / "text.nc") << "time,FSR\n0,1\n";
  expect_refused((folder / "text.nc").string(), {"text.nc"});
}

TEST(BadInput, VariableMissing) {
  const Folder folder;
  ChangedFile file(folder);
  ChangedFile::check(nc_rename_var(file.file(), file.id("FDH"), "FDG"));
  expect_refused(file.done(), {"FDH"});
}

TEST(BadInput, UnmappedUnits) {
  const Folder folder;
  ChangedFile file(folder);
  ChangedFile::check(nc_put_att_text(file.file(), file.id("FLH"), "units", 9, "LANGLEY/D"));
  expect_refused(file.done(), {"FLH", "LANGLEY/D", "W m-2"});
}

TEST(BadInput, AnotherShape) {
  const Folder folder;
  ChangedFile file(folder);
  ChangedFile::check(nc_rename_var(file.file(), file.id("FSR"), "OLD"));
  int y = 0, x = 0, id = 0;
  ChangedFile::check(nc_inq_dimid(file.file(), "ESKUY", &y));
  ChangedFile::check(nc_inq_dimid(file.file(), "ESKUX", &x));
  const int dimensions[] = {y, x};
  ChangedFile::check(nc_def_var(file.file(), "FSR", NC_FLOAT, 2, dimensions, &id));
  ChangedFile::check(nc_put_att_text(file.file(), id, "units", 4, "W/M2"));
  expect_refused(file.done(), {"FSR"});
}

TEST(BadInput, MissingValueInARow) {
  const Folder folder;
  ChangedFile file(folder);
  ChangedFile::check(nc_enddef(file.file()));
  // The first training cell of the first month that has a value.
  const int id = file.id("FDH");
  std::size_t at[3] = {0, 0, 0};
  float value = 0.0F;
  bool found = false;
  for (at[1] = 0; at[1] < 46 && !found; ++at[1]) {
    for (at[2] = 8; at[2] < 12; ++at[2]) {  // longitudes 60 to 75: block 3 is validation, so take 80 on
      const std::size_t place[3] = {0, at[1], at[2] + 4};
      ChangedFile::check(nc_get_var1_float(file.file(), id, place, &value));
      if (value < 1e30F) {
        const float missing = 1e34F;
        ChangedFile::check(nc_put_var1_float(file.file(), id, place, &missing));
        found = true;
        break;
      }
    }
  }
  ASSERT_TRUE(found);
  const std::string path = file.done();
  expect_refused(path, {"FDH", "--drop-incomplete"});
  const Outcome dropped = run(train + "--data " + path + " --drop-incomplete --output " + (folder / "m.safetensors").string());
  EXPECT_EQ(dropped.code, 0) << dropped.err;
}

TEST(BadInput, ModelFileCutShortOrFlipped) {
  const Folder folder;
  const std::string whole = content(small_model());
  ASSERT_GT(whole.size(), 2000U);
  const std::string generate = " --inputs " + std::string(ocean_file) + " --members 1 --output " + (folder / "out").string();
  const auto refused = [&](const std::string& bytes, const std::string& what) {
    std::ofstream(folder / "bad.safetensors", std::ios::binary) << bytes;
    for (const std::string& words :
         {"generate --model " + (folder / "bad.safetensors").string() + generate, "inspect " + (folder / "bad.safetensors").string()}) {
      const Outcome outcome = run(words);
      EXPECT_EQ(outcome.code, 2) << what << outcome.out << outcome.err;
      EXPECT_SAYS(outcome.err, "bad.safetensors");
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  };
  refused(whole.substr(0, whole.size() - 1), "one byte short");
  refused(whole.substr(0, whole.size() / 2), "half");
  refused("", "empty");
  for (std::size_t at : {std::size_t{3}, std::size_t{40}, whole.size() / 3, whole.size() - 1}) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    refused(flipped, "bit flipped at " + std::to_string(at) + ": ");
  }
}

TEST(BadInput, OutputThatCannotBeWritten) {
  const Outcome model = run(train + "--data " + ocean_file + " --output /proc/lavoisier/m.safetensors");
  EXPECT_EQ(model.code, 2);
  EXPECT_SAYS(model.err, "/proc/lavoisier");
  const std::string generate = "generate --model " + small_model().string() + " --inputs " + ocean_file + " --members 1 --output ";
  const Outcome members = run(generate + "/proc/lavoisier");
  EXPECT_EQ(members.code, 2);
  EXPECT_SAYS(members.err, "/proc/lavoisier");
  const Folder folder;
  std::ofstream(folder / "file") << "a file";
  EXPECT_EQ(run(generate + (folder / "file").string()).code, 2);
  const Outcome json = run("domains --json " + (folder / "file/x.json").string());
  EXPECT_EQ(json.code, 2);
  if (geteuid() != 0) {
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    EXPECT_EQ(run(generate + folder.path().string()).code, 2);
  }
}

TEST(BadInput, FailedWriteOfAMember) {
  // A limit on the size of files makes HDF5's own writes fail; a shell counts in KiB (bash) or half of them (dash).
  const Folder folder;
  const Outcome outcome =
      run("generate --model " + small_model().string() + " --inputs " + ocean_file + " --members 2 --output " +
                    (folder / "out").string(),
                "trap '' XFSZ; ulimit -f 800;");
  EXPECT_EQ(outcome.code, 2) << outcome.out << outcome.err;
  EXPECT_SAYS(outcome.err, "member_0001.nc");
  if (std::filesystem::exists(folder / "out")) {
    EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
  }
}

TEST(BadInput, DiskFull) {
  const Folder folder;
  const std::string script =
      "mount -t tmpfs -o size=20m none '" + folder.path().string() + "' || exit 77; "
      "'" + executable() + "' generate --model '" + small_model().string() + "' --inputs " + ocean_file +
      " --members 40 --quiet --output '" + (folder / "out").string() + "' 2>&1; code=$?; echo \"code=$code\"; "
      "ls '" + (folder / "out").string() + "'; "
      // No room for a model file either: the old one, if any, stays.
      "echo old > '" + (folder / "m.safetensors").string() + "'; "
      "dd if=/dev/zero of='" + (folder / "filler").string() + "' bs=4096 2>/dev/null; "
      "'" + executable() + "' " + train + "--hidden 256,256 --data " + ocean_file + " --output '" + (folder / "m.safetensors").string() +
      "' 2>&1; echo \"train=$?\"; cat '" + (folder / "m.safetensors").string() + "'; ls -A '" + folder.path().string() + "'";
  std::ofstream(folder / "script.sh") << script;
  const std::string copy = "/tmp/lavoisier-disk-full-" + std::to_string(getpid()) + ".sh";
  std::filesystem::copy_file(folder / "script.sh", copy);
  const std::string log = copy + ".log";
  int status = 0;
  for (const char* isolate : {"unshare -m", "unshare -rm"}) {
    status = std::system((std::string(isolate) + " sh " + copy + " >" + log + " 2>&1").c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
  }
  const std::string text = content(log);
  std::filesystem::remove(copy);
  std::filesystem::remove(log);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    GTEST_SKIP() << "mounting a tmpfs is not permitted here: " << text;
  }
  EXPECT_SAYS(text, "code=2\n");
  EXPECT_SAYS(text, "space");
  EXPECT_SAYS(text, "member_0001.nc");
  EXPECT_SAYS(text, "train=2\nold\n");
  EXPECT_EQ(text.find("tmp-"), std::string::npos) << text;
}

TEST(BadInput, InterruptedTrainingKeepsItsCheckpoint) {
  const Folder folder;
  const std::string model = (folder / "m.safetensors").string(), err = (folder / "err").string();
  const std::vector<std::string> words = {"train",   "--domain", "ocean_heat_budget", "--data", ocean_file, "--hidden", "8",
                                          "--epochs", "100000",   "--seed",            "3",      "--output", model};
  const pid_t child = start(words, err);
  for (int k = 0; k < 1200 && content(err).find("epoch ") == std::string::npos; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  const std::string message = content(err);
  EXPECT_SAYS(message, "interrupted");
  EXPECT_SAYS(message, "checkpoint kept in " + model + ".checkpoint");
  EXPECT_SAYS(message, "--resume");
  EXPECT_FALSE(std::filesystem::exists(model));
  EXPECT_TRUE(std::filesystem::exists(model + ".checkpoint"));
  // It goes on from there: interrupted again, it is further on.
  std::vector<std::string> more = words;
  more.push_back("--resume");
  std::filesystem::remove(err);
  const pid_t second = start(more, err);
  for (int k = 0; k < 1200 && content(err).find("epoch ") == std::string::npos; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(second, SIGINT);
  waitpid(second, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  const std::string log = content(err);
  const std::size_t at = log.find("epoch ");
  ASSERT_NE(at, std::string::npos) << log;
  EXPECT_GT(std::atoi(log.c_str() + at + 6), 1) << log;
}

TEST(BadInput, OutputThatCannotBePrinted) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  const std::string line = "'" + executable() + "' domains ocean_heat_budget >/dev/full 2>/dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 2);
}

TEST(BadInput, ClassicFileCutShort) {
  const Folder folder;
  const std::filesystem::path cut = folder / "cut.nc";
  std::filesystem::copy_file(ocean_file, cut);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 2);
  const Outcome outcome = run(train + "--data " + cut.string() + " --output " + (folder / "m.safetensors").string());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "cut short");
  EXPECT_FALSE(std::filesystem::exists(folder / "m.safetensors"));
}

TEST(BadInput, ResumeWithoutACheckpoint) {
  const Folder folder;
  const Outcome outcome = run(train + "--data " + ocean_file + " --resume --output " + (folder / "m.safetensors").string());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "no checkpoint to resume from");
}

}  // namespace
