// The built-in signatures, by their own samples, by what must match none, and by their page.
#include "launcher/diagnosis/built_in.hpp"
#include "launcher/diagnosis/match.hpp"
#include "launcher/diagnosis/signature_file.hpp"
#include "tests/launcher/core/documentation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>

using namespace ddp;
using namespace ddp::diagnosis;

namespace {

std::span<const Signature> built_in() { return built_in_signatures(); }

bool same(std::span<const LineCondition> one, std::span<const LineCondition> other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const LineCondition& a, const LineCondition& b) {
                      return a.literal == b.literal && a.expression == b.expression;
                    });
}
template <class Value>
bool same(std::span<const Value> one, std::span<const Value> other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end());
}

std::vector<Witness> no_other() { return {}; }

std::string named(const Facts& facts) {
  const auto found = diagnose(built_in(), facts, no_other);
  return found ? found->signature : "none";
}

std::string table() {
  std::string text = "| Signature | Cause | What to do |\n|---|---|---|\n";
  for (const auto& one : built_in())
    text += "| `" + std::string(one.name) + "` | " + std::string(one.cause) + " | " +
            std::string(one.remedy) + " |\n";
  return text;
}

std::string facts_table() {
  std::string text = "| `system` | Holds when |\n|---|---|\n";
  for (const auto& one : kSystemFacts)
    text += "| `" + std::string(one.name) + "` | " + std::string(one.meaning) + " |\n";
  return text;
}

}  // namespace

TEST_CASE("each built-in signature has samples, which it is the first to match") {
  CHECK(built_in().size() >= 40);
  const auto file = read_signatures(DDP_SOURCE_DIR "/launcher/diagnosis/signatures.toml");
  REQUIRE_MESSAGE(file, (file ? "" : file.error()));
  REQUIRE(file->samples.size() == built_in().size());
  for (std::size_t i = 0; i < built_in().size(); ++i) {
    const auto& one = built_in()[i];
    CAPTURE(one.name);
    CHECK_FALSE(file->samples[i].empty());
    for (const auto& sample : file->samples[i]) CHECK(named(facts_of(one, sample)) == one.name);
  }
}

TEST_CASE("the table that is built in is what the file says") {
  const auto file = read_signatures(DDP_SOURCE_DIR "/launcher/diagnosis/signatures.toml");
  REQUIRE_MESSAGE(file, (file ? "" : file.error()));
  REQUIRE(file->signatures.size() == built_in().size());
  for (std::size_t i = 0; i < built_in().size(); ++i) {
    const auto& one = built_in()[i];
    const auto& other = file->signatures[i];
    CAPTURE(one.name);
    CHECK(one.name == other.name);
    CHECK(same(one.exit_codes, other.exit_codes));
    CHECK(same(one.signals, other.signals));
    CHECK(same(one.lines, other.lines));
    CHECK(same(one.kernel, other.kernel));
    CHECK(same(one.system, other.system));
    CHECK(one.consequence == other.consequence);
    CHECK(one.cause == other.cause);
    CHECK(one.remedy == other.remedy);
  }
}

TEST_CASE("each text, pattern and system fact of a built-in signature is needed") {
  // Without its condition nothing matches: no signature matches everything.
  for (const auto& one : built_in()) {
    CAPTURE(one.name);
    std::string evidence;
    bool from_kernel = false;
    CHECK_FALSE(matches(
        one,
        {core::Exited{3}, {"step 7"}, [] { return std::vector<std::string>{"eth0: link up"}; }, {}},
        evidence, from_kernel));
  }
}

TEST_CASE("what ordinary programs write matches no signature") {
  // Lines of one end are together; a blank line separates ends.
  std::ifstream file(DDP_SOURCE_DIR "/tests/launcher/diagnosis/ordinary.txt");
  REQUIRE(file);
  Facts facts{core::Exited{1}, {}, {}, {}};
  int ends = 0;
  const auto check = [&] {
    if (facts.lines.empty()) return;
    CAPTURE(facts.lines.front());
    CHECK(named(facts) == "none");
    ++ends;
    facts.lines.clear();
  };
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      check();
    } else {
      facts.lines.push_back(line);
    }
  }
  check();
  CHECK(ends > 20);
  CHECK(named({core::Signaled{SIGKILL, false}, {}, {}, {}}) == "none");
  CHECK(named({core::Signaled{SIGTERM, false}, {}, {}, {}}) == "none");
  CHECK(named({core::Exited{1}, {}, {}, {SystemFact::shm_small, SystemFact::nofile_limit}}) ==
        "none");
}

TEST_CASE("docs/diagnosis.md lists the built-in signatures and the system facts") {
  const std::string path = DDP_SOURCE_DIR "/docs/diagnosis.md";
  const std::pair<const char*, std::string> tables[] = {{"signatures", table()},
                                                        {"system facts", facts_table()}};
  for (const auto& [name, expected] : tables) {
    auto page = test::read(path);
    auto block = test::block(page, name);
    REQUIRE(block);
    if (std::getenv("DDP_UPDATE_DOCS") != nullptr) {
      const std::string mark = "<!-- " + std::string(name) + " -->\n";
      page.replace(page.find(mark) + mark.size(), block->size(), expected);
      std::ofstream(path) << page;
      block = expected;
    }
    CHECK_MESSAGE(*block == expected, "run DDP_UPDATE_DOCS=1 unit_diagnosis");
  }
}

TEST_CASE("the first line that shows the cause is the evidence, of the rank or of the kernel") {
  const auto text = diagnose(
      built_in(), {core::Exited{1}, {"a", "x ModuleNotFoundError: No module named 'y'"}, {}, {}},
      no_other);
  REQUIRE(text);
  CHECK(text->evidence == "x ModuleNotFoundError: No module named 'y'");
  CHECK_FALSE(text->from_kernel);
  CHECK_FALSE(text->witness);
  int reads = 0;
  const auto log = [&] {
    ++reads;
    return std::vector<std::string>{"NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off"};
  };
  const auto kernel =
      diagnose(built_in(), {core::Exited{1}, {"CUDA error: unknown error"}, log, {}}, no_other);
  REQUIRE(kernel);
  CHECK(kernel->signature == "gpu-xid-79");
  CHECK(kernel->from_kernel);
  // The GPU of another program: the log is not even read.
  reads = 0;
  CHECK_FALSE(diagnose(built_in(), {core::Exited{1}, {"step 7"}, log, {}}, no_other));
  CHECK(reads == 0);
}

TEST_CASE("the root cause's own cause comes first, then another rank's, then the loss of a peer") {
  const std::string oom = "torch.OutOfMemoryError: CUDA out of memory.";
  const std::string closed = "gloo: Connection closed by peer";
  const std::string module = "ModuleNotFoundError: No module named 'y'";
  const auto diagnosed = [&](std::vector<std::string> root,
                             std::vector<std::vector<std::string>> others) {
    const auto found = diagnose(built_in(), {core::Exited{1}, std::move(root), {}, {}}, [&] {
      std::vector<Witness> witnesses;
      core::LocalRank rank = 3;
      for (auto& lines : others) witnesses.push_back({rank++, core::Exited{1}, lines});
      return witnesses;
    });
    if (!found) return std::string("none");
    return found->signature + (found->witness ? " " + std::to_string(*found->witness) : "");
  };
  CHECK(diagnosed({closed, oom}, {{module}}) == "cuda-out-of-memory");
  CHECK(diagnosed({oom}, {{closed}}) == "cuda-out-of-memory");
  CHECK(diagnosed({closed}, {{"a"}, {module}, {oom}}) == "missing-module 4");
  CHECK(diagnosed({closed}, {{"a"}}) == "gloo-peer-closed");
  CHECK(diagnosed({"a"}, {{closed}}) == "none");  // a victim's is no cause
  CHECK(diagnosed({"a"}, {{"b"}}) == "none");
  // How another rank ended is no evidence: it may be a consequence.
  CHECK_FALSE(diagnose(built_in(), {core::Exited{1}, {}, {}, {}}, [] {
    return std::vector<Witness>{{1, core::Signaled{SIGSEGV, false}, {}}};
  }));
}

TEST_CASE("other ranks are not asked where the root cause shows the cause") {
  bool asked = false;
  const auto witnesses = [&] {
    asked = true;
    return std::vector<Witness>{};
  };
  CHECK(diagnose(built_in(), {core::Signaled{SIGSEGV, false}, {}, {}, {}}, witnesses));
  CHECK_FALSE(asked);
  CHECK_FALSE(diagnose(built_in(), {core::Exited{1}, {}, {}, {}}, witnesses));
  CHECK(asked);
}

TEST_CASE("hostile lines take bounded time and match nothing") {
  Facts facts{core::Exited{1}, {}, {}, {}};
  const std::string parts[] = {
      std::string(1 << 20, 'a'), std::string(4096, '\0'),      std::string(4096, '('),
      "\xff\xfe\x80 \x1b[31m",   std::string(4095, ' ') + "E",
  };
  for (int i = 0; i < 64; ++i) facts.lines.push_back(parts[i % 5]);
  facts.lines.push_back(std::string(4096, '.') + "OutOfMemoryError: CUDA out of memory");
  const auto began = std::chrono::steady_clock::now();
  CHECK(named(facts) == "none");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  facts.lines.push_back(std::string("\0\0 OutOfMemoryError: CUDA out of memory \0", 41));
  CHECK(named(facts) == "cuda-out-of-memory");
}
