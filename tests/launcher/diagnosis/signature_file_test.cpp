// Files of signatures that users write: what is read, and what is refused and how.
#include "launcher/diagnosis/signature_file.hpp"
#include "launcher/diagnosis/match.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace ddp;
using namespace ddp::diagnosis;

namespace {

const std::string kWords = "name = \"a\"\ncause = \"c\"\nremedy = \"r\"\n";

std::string refusal(const std::string& text) {
  const auto parsed = parse_signatures(text, "s.toml");
  return parsed ? "accepted" : parsed.error();
}
// Of a signature with `more` behind its words: in line 5.
std::string refused(const std::string& more) {
  return refusal("[[signature]]\n" + kWords + more + "\n");
}

bool starts(const std::string& text, std::string_view with) { return text.starts_with(with); }
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a signature is read whole") {
  const auto parsed = parse_signatures(R"(
[[signature]]
name = "site-lustre"
exit = [1, 74]
signal = "SIGBUS"
text = "LustreError"
line = ['lustre.*evicted', 'ost [0-9]+ gone']
kernel = 'LustreError: .*'
system = ["disk_full", "oom"]
consequence = true
cause = "the file server evicted this client"
remedy = "ask the operators"
sample = ["x\nLustreError: 11-0", "ost 12 gone"]
kernel_sample = "LustreError: 167-0"
)",
                                       "s.toml");
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error()));
  REQUIRE(parsed->signatures.size() == 1);
  const auto& one = parsed->signatures.front();
  CHECK(one.name == "site-lustre");
  CHECK(std::vector(one.exit_codes.begin(), one.exit_codes.end()) == std::vector{1, 74});
  CHECK(std::vector(one.signals.begin(), one.signals.end()) == std::vector{SIGBUS});
  REQUIRE(one.lines.size() == 3);
  CHECK(one.lines[0].literal == "LustreError");
  CHECK(one.lines[0].expression == "");
  CHECK(one.lines[1].literal == "evicted");
  CHECK(one.lines[1].expression == "lustre.*evicted");
  REQUIRE(one.kernel.size() == 1);
  CHECK(one.kernel[0].literal == "LustreError: ");
  CHECK(std::vector(one.system.begin(), one.system.end()) ==
        std::vector{SystemFact::disk_full, SystemFact::oom});
  CHECK(one.consequence);
  CHECK(one.cause == "the file server evicted this client");
  REQUIRE(parsed->samples.size() == 1);
  REQUIRE(parsed->samples[0].size() == 2);
  CHECK(parsed->samples[0][0].lines == std::vector<std::string>{"x", "LustreError: 11-0"});
}

TEST_CASE("conditions of different kinds must all hold, and of one kind one value must") {
  const auto parsed = parse_signatures("[[signature]]\n" + kWords +
                                           "exit = 7\nsignal = 'ABRT'\ntext = 'one'\n"
                                           "line = 'tw[o]'\nsystem = ['oom', 'shm_full']\n",
                                       "s.toml");
  REQUIRE(parsed);
  const auto fits = [&](core::ExitStatus status, const char* line, std::vector<SystemFact> system) {
    std::string evidence;
    bool from_kernel = false;
    return matches(parsed->signatures.front(), {status, {line}, {}, std::move(system)}, evidence,
                   from_kernel);
  };
  CHECK(fits(core::Exited{7}, "one", {SystemFact::oom}));
  CHECK(fits(core::Signaled{SIGABRT, true}, "x two", {SystemFact::shm_full}));
  CHECK_FALSE(fits(core::Exited{6}, "one", {SystemFact::oom}));
  CHECK_FALSE(fits(core::Signaled{7, false}, "one", {SystemFact::oom}));
  CHECK_FALSE(fits(core::Exited{7}, "three", {SystemFact::oom}));
  CHECK_FALSE(fits(core::Exited{7}, "one", {}));
  CHECK_FALSE(fits(core::Exited{7}, "one", {SystemFact::disk_full}));
}

TEST_CASE("what is wrong in a file is refused in one line: where, what, and what is allowed") {
  CHECK(starts(refusal("[[signature]\n"), "s.toml:1"));
  CHECK(refusal("") == "s.toml: no signature: expected [[signature]] tables");
  CHECK(refusal("signature = 1\n") == "s.toml: no signature: expected [[signature]] tables");
  CHECK(starts(refusal("signature = [1]\n"), "s.toml:1:14: 'signature': expected [[signature]]"));
  CHECK(starts(refusal("signatures = 1\n"), "s.toml:1:14: 'signatures': the file takes signature"));
  CHECK(contains(refused("texts = 'a'"), "s.toml:5:9: 'texts': a signature takes name, exit, "));
  CHECK(contains(refused(""), "s.toml:1:1: a signature needs a condition: expected exit, signal"));
  CHECK(contains(refused("exit = 0"), "s.toml:5:8: 'exit': expected one or an array of integers"));
  CHECK(contains(refused("exit = [1, 256]"), "s.toml:5:12: 'exit': expected"));
  CHECK(contains(refused("exit = []"), "'exit': expected 1 to 32 values"));
  CHECK(contains(refused("signal = 'SIGNONE'"), "'signal': expected one or an array of signals"));
  CHECK(contains(refused("text = ''"), "'text': expected one or an array of strings"));
  CHECK(contains(refused("text = [['a']]"), "'text': expected"));
  CHECK(contains(refused("line = '('"), "'line': expected one or an array of extended regular"));
  CHECK(contains(refused("line = '(a)\\1'"), "'(a)\\1': no back-reference"));
  CHECK(
      contains(refused("system = 'full'"), "'system': expected one or an array of oom, shm_full"));
  CHECK(contains(refused("text = 'a'\nconsequence = 1"), "'consequence': expected true or false"));
  CHECK(contains(refused("text = 'a'\nsample = 'b'"), "s.toml:6:10: 'sample': 'a' does not match"));
  CHECK(
      contains(refused("text = 'a'\nsample = 1"), "'sample': expected one or an array of string"));
  CHECK(contains(refusal("[[signature]]\nname = 'A b'\n"), "s.toml:2:8: 'name': expected a name"));
  CHECK(contains(refusal("[[signature]]\ntext = 'a'\n"), "s.toml:1:1: a signature needs 'name'"));
  CHECK(contains(refusal("[[signature]]\nname='a'\ntext='a'\ncause = \"x\\ny\"\nremedy='r'\n"),
                 "s.toml:4:9: 'cause': expected one line of 1 to 300 bytes"));
  CHECK(contains(refusal("[[signature]]\nname='a'\ntext='a'\ncause='c'\n"), "needs 'remedy'"));
  const std::string one = "[[signature]]\n" + kWords + "text = 'a'\n";
  CHECK(refusal(one) == "accepted");
  CHECK(contains(refusal(one + one), "'name': 'a' is used twice"));
}
