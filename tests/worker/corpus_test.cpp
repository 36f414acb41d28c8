#include "worker/data/corpus.hpp"
#include "worker/base/failure.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ddp-corpus-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

std::string refusal(const std::vector<std::string>& files, std::size_t context = 4) {
  try {
    read_corpus(files, context, 0.1);
  } catch (const Failure& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("samples are contexts and the byte that follows") {
  const Folder folder;
  const Corpus corpus = read_corpus({folder.write("a", "abcdefghij")}, 3, 0.2);
  CHECK(corpus.training.bytes() == 8);
  CHECK(corpus.validation.bytes() == 2);
  REQUIRE(corpus.training.samples() == 5);
  const auto last = corpus.training.context_of(4);
  CHECK(std::string(last.begin(), last.end()) == "efg");
  CHECK(corpus.training.target_of(4) == 'h');
  CHECK(corpus.validation.samples() == 0);  // shorter than a context
}

TEST_CASE("several files are one text, each with its own tail held out") {
  const Folder folder;
  const Corpus corpus =
      read_corpus({folder.write("a", "aaaaaaaaaA"), folder.write("b", "bbbbbbbbbB")}, 1, 0.1);
  CHECK(corpus.training.bytes() == 18);
  REQUIRE(corpus.validation.samples() == 1);
  CHECK(corpus.validation.context_of(0)[0] == 'A');
  CHECK(corpus.validation.target_of(0) == 'B');
  CHECK(corpus.training.order0_entropy() == doctest::Approx(1));
}

TEST_CASE("data that cannot be used is reported with the reason") {
  const Folder folder;
  const std::string at = "--data: cannot read '" + folder.path.string();
  CHECK(refusal({folder.path.string() + "/none"}) == at + "/none': No such file or directory");
  CHECK(refusal({folder.path.string()}) == at + "': it is a directory; name the files in it");
  CHECK(refusal({folder.write("empty", "")}) == at + "/empty': it is empty");
  CHECK(refusal({"/dev/zero"}) == "--data: cannot read '/dev/zero': it is not a regular file");
  CHECK(refusal({folder.write("short", "abc")}) ==
        "--data: 3 bytes to train on, expected more than the 4 of --context");
  const std::string fifo = folder.path.string() + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refusal({fifo}) == at + "/fifo': it is not a regular file");
}
