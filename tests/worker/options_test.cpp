#include "worker/cli/options.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace ddp::worker;

struct Outcome {
  ParsedOptions parsed;
  std::string out;
  std::string err;
};

Outcome parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> argv{"worker"};
  argv.insert(argv.end(), arguments);
  std::ostringstream out;
  std::ostringstream err;
  Outcome outcome;
  outcome.parsed = parse_options(static_cast<int>(argv.size()), argv.data(), out, err);
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

}  // namespace

TEST_CASE("a full command line is read") {
  const Outcome o = parse({"--data", "a", "b", "--context", "8", "--batch", "64", "--lr", "0.5",
                           "--backend", "gloo", "--no-overlap", "--comm-timeout", "1500ms",
                           "--json", "--seed", "18446744073709551615"});
  CAPTURE(o.err);
  REQUIRE(o.parsed.exit_code == -1);
  const Options& options = o.parsed.options;
  CHECK(options.data == std::vector<std::string>{"a", "b"});
  CHECK(options.model.context == 8);
  CHECK(options.batch == 64);
  CHECK(options.learning_rate == 0.5);
  CHECK(options.backend == Backend::gloo);
  CHECK_FALSE(options.overlap);
  CHECK(options.comm_timeout.count() == 1500);
  CHECK(options.json);
  CHECK(options.seed == 18446744073709551615u);
}

TEST_CASE("an error is one line that names the flag, and exit code 2") {
  struct Case {
    std::initializer_list<const char*> arguments;
    const char* named;
  };
  const Case cases[] = {{{}, "--data"},
                        {{"--data", "a", "--batch", "0"}, "--batch"},
                        {{"--data", "a", "--batch", "x"}, "--batch"},
                        {{"--data", "a", "--steps", "-1"}, "--steps"},
                        {{"--data", "a", "--backend", "mpi"}, "--backend"},
                        {{"--data", "a", "--comm-timeout", "soon"}, "--comm-timeout"},
                        {{"--data", "a", "--join-timeout", "0"}, "--join-timeout"},
                        {{"--data", "a", "--bat", "3"}, "--bat"},
                        {{"--data", "a", "--temperature", "0"}, "--temperature"},
                        {{"--data", "a", "--lr", "nan"}, "--lr"},
                        {{"--data", "a", "--held-out", "nan"}, "--held-out"},
                        {{"--data", "a", "--grad-clip", "inf"}, "--grad-clip"},
                        {{"--data", "a", "--seed", "-1"}, "--seed"},
                        {{"--data", "a", "--seed", "18446744073709551616"}, "--seed"},
                        {{"--data", "a", "--checkpoint-dir", ""}, "--checkpoint-dir"}};
  for (const Case& c : cases) {
    const Outcome o = parse(c.arguments);
    CAPTURE(o.err);
    CHECK(o.parsed.exit_code == 2);
    CHECK(o.err.find(c.named) != std::string::npos);
    CHECK(o.err.find('\n') == o.err.size() - 1);
    CHECK(o.out.empty());
  }
}

TEST_CASE("help and version go to standard output") {
  CHECK(parse({"--help"}).parsed.exit_code == 0);
  CHECK(parse({"--help"}).out.find("--grad-clip") != std::string::npos);
  CHECK(parse({"--version"}).parsed.exit_code == 0);
  CHECK(parse({"--version"}).out.starts_with("worker "));
}
