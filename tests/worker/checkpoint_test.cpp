// Checkpoints on disk: what is whole comes back to the bit, everything else is refused with the
// reason, and nothing whole is ever lost.
#include "worker/base/failure.hpp"
#include "worker/base/random.hpp"
#include "worker/checkpoint/store.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;
namespace fs = std::filesystem;

const Layout kLayout({.context = 3, .embed = 2, .hidden = 5, .layers = 2});
const Configuration kConfiguration{{"--hidden", "5"}, {"--seed", "1"}};

struct Folder {
  std::string path = (fs::temp_directory_path() / "ddp-checkpoint-XXXXXX").string();
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { fs::remove_all(path); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path)) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
};

TrainingState state_of(std::uint64_t key) {
  TrainingState state;
  for (auto* values : {&state.parameters, &state.first_moment, &state.second_moment}) {
    values->assign(kLayout.size, 0.0f);
    for (const Segment& s : kLayout.segments)
      for (std::size_t i = 0; i < s.size(); ++i)
        (*values)[s.offset + i] = static_cast<float>(unit(mix(++key)));
  }
  return state;
}

CheckpointStore open(const Folder& folder, int keep = 3,
                     const Configuration& configuration = kConfiguration) {
  return {folder.path, keep, kLayout, configuration};
}

// The step that is loaded, 0 for none; the refusals' reasons are added to `reasons`.
std::int64_t loaded_step(const CheckpointStore& store, std::vector<std::string>& reasons) {
  const auto loaded = store.load_newest([&](const std::string& name, const std::string& reason) {
    CHECK(fs::exists(name) != name.ends_with(".tmp"));
    reasons.push_back(reason);
  });
  if (!loaded) return 0;
  const TrainingState expected = state_of(static_cast<std::uint64_t>(loaded->progress.step));
  CHECK(loaded->state.parameters == expected.parameters);
  CHECK(loaded->state.first_moment == expected.first_moment);
  CHECK(loaded->state.second_moment == expected.second_moment);
  CHECK(loaded->progress.sampler_position == 10 * loaded->progress.step);
  return loaded->progress.step;
}

void save(CheckpointStore& store, std::int64_t step) {
  store.save({step, 10 * step}, state_of(static_cast<std::uint64_t>(step)));
}

std::string file_of(const Folder& folder, std::int64_t step, const std::string& ending) {
  for (const std::string& name : folder.names())
    if (name.find("000" + std::to_string(step) + "-") != std::string::npos &&
        name.ends_with(ending))
      return folder.path + "/" + name;
  FAIL("no such checkpoint");
  return {};
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The reason for which step 20 is refused after `damage`; step 10 must be used instead.
template <class Damage>
std::string reason_after(Damage&& damage) {
  const Folder folder;
  CheckpointStore store = open(folder);
  save(store, 10);
  save(store, 20);
  damage(file_of(folder, 20, ".safetensors"), file_of(folder, 20, ".ok"));
  std::vector<std::string> reasons;
  CHECK(loaded_step(store, reasons) == 10);
  REQUIRE(reasons.size() == 1);
  const std::string reason = reasons[0];
  // Written again, it is whole again.
  save(store, 20);
  CHECK(loaded_step(store, reasons) == 20);
  CHECK(reasons.size() == 1);
  return reason;
}

void flip(const std::string& path, std::size_t byte, int bit) {
  std::string bytes = read(path);
  bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  write(path, bytes);
}

}  // namespace

TEST_CASE("the newest comes back to the bit, the last K are kept") {
  const Folder folder;
  CheckpointStore store = open(folder, 2);
  std::vector<std::string> reasons;
  CHECK(loaded_step(store, reasons) == 0);
  for (const std::int64_t step : {10, 20, 30, 40}) {
    save(store, step);
    CHECK(loaded_step(open(folder, 2), reasons) == step);
  }
  CHECK(reasons.empty());
  CHECK(folder.names().size() == 4);  // two checkpoints and their markers
  CHECK_NOTHROW(file_of(folder, 30, ".ok"));
}

TEST_CASE("any damage is found, and the one before is used") {
  CHECK(reason_after([](const std::string&, const std::string& marker) {
          fs::remove(marker);
        }).starts_with("was not completed"));
  CHECK(reason_after([](const std::string& data, const std::string&) {
          fs::resize_file(data, fs::file_size(data) - 1);
        }) == "is torn: its size is not its marker's");
  CHECK(reason_after([](const std::string& data, const std::string&) { write(data, ""); }) ==
        "is torn: its size is not its marker's");
  CHECK(reason_after([](const std::string&, const std::string& marker) { write(marker, "x"); }) ==
        "is torn: its size is not its marker's");
  // One bit anywhere: the length, the header, the first and the last tensor, the marker.
  const std::size_t end = read([] {
                            static const Folder folder;
                            CheckpointStore store = open(folder);
                            save(store, 20);
                            return file_of(folder, 20, ".safetensors");
                          }())
                              .size();
  for (const std::size_t byte : {std::size_t{0}, std::size_t{7}, std::size_t{50}, end / 2, end - 1})
    CHECK(reason_after([&](const std::string& data, const std::string&) { flip(data, byte, 3); }) ==
          "is damaged: its digest is not its marker's");
  CHECK(reason_after([](const std::string&, const std::string& marker) {
          flip(marker, read(marker).size() - 4, 0);
        }) == "is damaged: its digest is not its marker's");
}

TEST_CASE("a complete checkpoint of another run is refused with the difference") {
  const Folder folder;
  CheckpointStore ours = open(folder);
  save(ours, 10);
  CheckpointStore theirs = open(folder, 1, {{"--hidden", "5"}, {"--seed", "2"}});
  for (const std::int64_t step : {20, 30}) save(theirs, step);
  std::vector<std::string> reasons;
  CHECK(loaded_step(ours, reasons) == 10);
  CHECK(reasons == std::vector<std::string>{"was made with --seed 2, not 1"});
  save(ours, 30);  // in the same directory
  CHECK(loaded_step(theirs, reasons) == 30);
  CHECK(loaded_step(ours, reasons) == 30);

  // A whole checkpoint under another step's name.
  reasons.clear();
  for (const char* const ending : {".safetensors", ".ok"}) {
    std::string name = folder.names().front();
    name = name.substr(0, name.rfind('.'));
    REQUIRE(name.find("0010-") != std::string::npos);
    std::string later = name;
    later.replace(later.find("0010-"), 5, "0099-");
    fs::copy_file(folder.path + "/" + name + ending, folder.path + "/" + later + ending);
  }
  CHECK(loaded_step(ours, reasons) == 30);
  REQUIRE(!reasons.empty());
  CHECK(reasons[0] == "is of step 10, its name says 99");
}

TEST_CASE("a whole file of another format is refused") {
  // With a marker that fits, the format itself must show it.
  struct Case {
    std::string bytes;
    const char* reason;
  };
  const auto with_header = [](const std::string& header) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    return bytes + header;
  };
  const Case cases[] = {
      {"", "is too short for a header"},
      {"12345678901234567890", "has a header longer than the file"},
      {with_header("not json"), "has a header that is not JSON"},
      {with_header("[1]"), "has a header that is not JSON"},
      {with_header("{}"), "is not a checkpoint of this worker"},
      {with_header(R"({"__metadata__":{"format":"pt"}})"), "is not a checkpoint of this worker"},
      {with_header(R"({"__metadata__":{"format":"ddp-launch worker 1"}})"),
       "has no '--hidden' in its metadata"},
      {with_header(R"({"__metadata__":{"format":"ddp-launch worker 1","--hidden":"5",)"
                   R"("--seed":"1","step":"-3","sampler_position":"0"}})"),
       "has '-3' as its step"},
      {with_header(R"({"__metadata__":{"format":"ddp-launch worker 1","--hidden":"5",)"
                   R"("--seed":"1","step":"20","sampler_position":"0"}})"),
       "has a header that does not fit its configuration"}};
  for (const Case& c : cases) {
    TrainingState state;
    std::string reason;
    try {
      decode(kLayout, kConfiguration, std::as_bytes(std::span(c.bytes)), state);
    } catch (const Refusal& refusal) {
      reason = refusal.reason;
    }
    CHECK(reason == c.reason);
  }
}

TEST_CASE("a whole checkpoint is never overwritten") {
  const Folder folder;
  CheckpointStore store = open(folder);
  save(store, 10);
  const std::string path = file_of(folder, 10, ".safetensors");
  struct stat before {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  store.save({10, 100}, state_of(77));
  struct stat after {};
  REQUIRE(::stat(path.c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  std::vector<std::string> reasons;
  CHECK(loaded_step(store, reasons) == 10);
}

TEST_CASE("a disk that takes no more is named, and the checkpoint before stays good") {
  const Folder folder;
  CheckpointStore store = open(folder);
  save(store, 10);
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit little = before;
  std::string error;
  // Full in the middle of the data, and (the marker's 52 bytes) at its very beginning.
  for (const rlim_t limit : {rlim_t{1000}, rlim_t{0}}) {
    little.rlim_cur = limit;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
    try {
      save(store, 20);
    } catch (const Failure& failure) {
      error = failure.what();
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(error.starts_with("checkpoint: cannot write '" + folder.path + "/step-0000000020-"));
    CHECK(error.ends_with("': File too large"));
    CHECK(folder.names().size() == 2);  // no half-written file stays
    std::vector<std::string> reasons;
    CHECK(loaded_step(store, reasons) == 10);
  }
}

TEST_CASE("a directory that cannot be used is named before training begins") {
  const Folder folder;
  write(folder.path + "/file", "x");
  const auto error = [&](const std::string& directory) -> std::string {
    try {
      CheckpointStore(directory, 1, kLayout, kConfiguration);
    } catch (const Failure& failure) {
      return failure.what();
    }
    return "accepted";
  };
  CHECK(error(folder.path + "/file") ==
        "checkpoint: cannot create '" + folder.path + "/file': Not a directory");
  CHECK(error(folder.path + "/file/below").starts_with("checkpoint: cannot create '"));
  CHECK(error(folder.path + "/new/deep") == "accepted");
  if (::geteuid() != 0) {
    fs::create_directory(folder.path + "/closed");
    fs::permissions(folder.path + "/closed", fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(error(folder.path + "/closed") ==
          "checkpoint: cannot write into '" + folder.path + "/closed': Permission denied");
  }
}

TEST_CASE("files of a killed writer are reported and removed, other files are not touched") {
  const Folder folder;
  CheckpointStore store = open(folder);
  save(store, 10);
  const std::string stem = file_of(folder, 10, ".ok");
  write(stem.substr(0, stem.size() - 3) + ".tmp", "half");
  write(folder.path + "/notes.txt", "mine");
  write(folder.path + "/step-7.safetensors", "mine too");
  std::vector<std::string> reasons;
  CHECK(loaded_step(open(folder), reasons) == 10);
  CHECK(reasons == std::vector<std::string>{"was cut off while it was written, and is removed"});
  CHECK(folder.names().size() == 4);
}
