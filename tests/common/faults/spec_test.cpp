#include "common/faults/spec.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>

namespace {

using namespace ddp::fault;
using std::chrono::milliseconds;
using std::chrono::seconds;

Spec parsed(std::string_view text) {
  const auto spec = parse(text);
  CAPTURE(text);
  REQUIRE_MESSAGE(spec, (spec ? "" : spec.error()));
  return *spec;
}

std::string canonical(std::string_view text) { return format(parsed(text)); }

std::string refusal(std::string_view text, int world_size = 0) {
  const auto spec = parse(text, world_size);
  return spec ? "accepted" : spec.error();
}

bool starts(const std::string& text, std::string_view with) { return text.starts_with(with); }

}  // namespace

TEST_CASE("a spec is read") {
  const Spec kill = parsed("kill@step=50,rank=2");
  CHECK(kill.kind == Kind::kill);
  CHECK(kill.step == Range{50, 50});
  CHECK(kill.ranks == Ranks{Ranks::Mode::listed, {{2, 2}}});

  const Spec stop = parsed("stop@ready=1.5s,for=5s,rank=any,seed=18446744073709551615");
  CHECK(stop.ready == milliseconds(1500));
  CHECK(stop.lasts == seconds(5));
  CHECK(stop.seed == 18446744073709551615u);

  CHECK(parsed("signal=USR1").value == Value(std::int64_t{SIGUSR1}));
  CHECK(parsed("signal=SIGUSR1").value == Value(std::int64_t{SIGUSR1}));
  CHECK(parsed("signal=10").value == Value(std::int64_t{10}));
  CHECK(parsed("memory=+64M").value == Value(Amount{64 << 20, true}));
  CHECK(parsed("file-size=1KiB").value == Value(Amount{1024, false}));
  CHECK(parsed("slow=0.25").value == Value(0.25));
  CHECK(parsed("delay=250ms").value == Value(Nanoseconds(milliseconds(250))));
  CHECK(parsed("spawn-fail=ENOMEM").value == Value(std::int64_t{ENOMEM}));
  CHECK(parsed("kill@ready").ready == Nanoseconds(0));
  CHECK(parsed("kill@every=25steps").every == Interval(std::int64_t{25}));
  CHECK(parsed("kill@mtbf=30s,times=4").mtbf == Interval(Nanoseconds(seconds(30))));
}

TEST_CASE("lists go on over a comma, and are merged") {
  const Spec spec = parsed("kill@rank=5,0-2,3,step=7,gen=0,2");
  CHECK(spec.ranks.listed == std::vector<Range>{{0, 3}, {5, 5}});
  CHECK(spec.step == Range{7, 7});
  CHECK(spec.generations == std::vector<Range>{{0, 0}, {2, 2}});
  CHECK(spec.in_generation(2));
  CHECK_FALSE(spec.in_generation(1));
  CHECK(spec.addresses(3));
  CHECK_FALSE(spec.addresses(4));
}

TEST_CASE("text in quotes keeps commas, and a doubled quote is one") {
  CHECK(parsed("kill@line='a, b@c=''d''',rank=1").line == "a, b@c='d'");
  for (const char* line : {"[[:digit:]]{4}-[0-9]{2}T([0-9]{2}:){2}[0-9]{2} (step|epoch)+ .*",
                           "a{1,900}", "[]{9999}+]+", "\\\\[+++++++++++++++++]", "(((a+)+)+)+|^b$"})
    CHECK(parsed("kill@line='" + std::string(line) + "'").line == line);
  CHECK(parsed("kill@line=\"it's\"").line == "it's");
  CHECK(parsed("kill@phase=allreduce").phase == "allreduce");
}

TEST_CASE("blanks between words mean nothing") {
  CHECK(canonical("  kill @ step = 50 , rank = 2 ") == "kill@rank=2,step=50");
}

TEST_CASE("all ways to write a spec have one canonical form") {
  CHECK(canonical("kill") == "kill@rank=any");
  CHECK(canonical("kill@step=50,rank=2") == "kill@rank=2,step=50");
  CHECK(canonical("stop@for=1500ms,rank=all") == "stop@rank=all,for=1500ms");
  CHECK(canonical("stop@for=120s") == "stop@rank=any,for=2m");
  CHECK(canonical("memory=1048576") == "memory=1M@rank=any");
  CHECK(canonical("signal=10") == "signal=USR1@rank=any");
  CHECK(canonical("kill@every=1steps") == "kill@rank=any,every=1step");
  CHECK(canonical("kill@ready") == "kill@rank=any,ready=0s");
  CHECK(canonical("port-taken") == "port-taken");
  CHECK(canonical("kill@after=0.0000015") == "kill@rank=any,after=1.5us");
}

TEST_CASE("an error is reported with its column") {
  CHECK(starts(refusal("kill@step=5,rnk=2"),
               "column 13: 'rnk': expected rank, step, phase, after, ready, line, gen, every, "
               "mtbf, times, seed"));
  CHECK(starts(refusal("kil@step=5"), "column 1: 'kil': expected kill, signal, stop,"));
  CHECK(starts(refusal(""), "column 1: expected a fault: kill,"));
  CHECK(starts(refusal("@step=5"), "column 1: expected a fault: kill,"));
  CHECK(refusal("kill rank=2") == "column 6: 'r': expected '@' or the end");
  CHECK(refusal("kill@") == "column 6: expected a word such as step=50 or rank=2");
  CHECK(refusal("kill@step=5,") == "column 13: expected a word such as step=50 or rank=2");
  CHECK(refusal("kill@step=5 rank=2") == "column 13: 'r': expected ',' or the end");
  CHECK(starts(refusal("kill@step=x"), "column 11: 'x': expected a step such as 50"));
  CHECK(starts(refusal("kill@step="), "column 11: '': expected a step"));
  CHECK(refusal("kill@step") == "column 6: 'step' needs a value (step=…)");
  CHECK(refusal("kill@step=1,step=2") == "column 13: 'step' is given twice");
  CHECK(
      starts(refusal("kill@step=1,every=2s"), "column 13: 'every' cannot be combined with 'step'"));
  CHECK(starts(refusal("kill@every=2s,mtbf=2s"),
               "column 15: 'mtbf' cannot be combined with 'every'"));
  CHECK(starts(refusal("kill=3"), "column 6: '3': kill takes no value"));
  CHECK(starts(refusal("exit"), "column 1: 'exit' needs a value (exit=…): expected an exit code"));
  CHECK(starts(refusal("exit=256"), "column 6: '256': expected an exit code from 0 to 255"));
  CHECK(starts(refusal("signal=FOO"), "column 8: 'FOO': expected a signal"));
  CHECK(starts(refusal("slow=1"), "column 6: '1': expected a fraction"));
  CHECK(starts(refusal("memory=12Q"), "column 8: '12Q': expected bytes"));
  CHECK(starts(refusal("memory=99999999999T"), "column 8:"));
  CHECK(starts(refusal("file-size=+1M"),
               "column 11: '+1M': expected bytes such as 1M or 0, without"));
  CHECK(starts(refusal("kill@rank=3-1"), "column 11: '3-1': expected ranks"));
  CHECK(starts(refusal("kill@line='abc"), "column 11: the quote ' is not closed"));
  CHECK(refusal("kill@line='\xff'") == "column 12: a byte that is not UTF-8");
  CHECK(refusal("kill@phase=a\xe2\x82") == "column 13: a byte that is not UTF-8");
  CHECK(starts(refusal("kill@line='\xe2\x82\xac' x"), "column 17: 'x': expected ','"));
  CHECK(starts(refusal("kill@line='a('"), "column 11: 'a(': expected an extended regular"));
  // What would take all memory or all time there is.
  const std::string large = "its repetitions come to more than 1000 parts";
  const std::string deep = "more than 4 repetitions within each other";
  for (const auto& [line, why] :
       std::vector<std::pair<std::string, std::string>>{{"a" + std::string(14, '+'), deep},
                                                        {"a" + std::string(60, '?') + "+", deep},
                                                        {"((((((a?)?)?)?)?)?)+", deep},
                                                        {"((a{99}){99}){99}", large},
                                                        {"a{1,32767}", large},
                                                        {"[^]+]{101}{100}", large}}) {
    CAPTURE(line);
    CHECK(refusal("kill@line='" + line + "'").find("expression (" + why) != std::string::npos);
  }
  CHECK(
      starts(refusal("kill@line='(a*)\\1'"), "column 11: '(a*)\\1': expected an extended regular"));
  CHECK(starts(refusal("kill@for=1s"), "column 6: 'for': expected rank, step,"));
  CHECK(refusal("port-taken@rank=2") ==
        "column 12: 'rank': expected gen, times, which is what port-taken takes");
  CHECK(starts(refusal("exit=3@every=2s"), "column 14: '2s': expected steps"));
  CHECK(starts(refusal("kill@seed=-1"), "column 11: '-1': expected a number"));
  CHECK(starts(refusal("kill@after=forever"), "column 12: 'forever': expected a duration"));
  CHECK(starts(refusal("stop@for=0"), "column 10: '0': expected 1ms or longer"));
  CHECK(starts(refusal("kill@times=0"), "column 12: '0': expected a number of times"));
  CHECK(starts(refusal("kill@phase='a\tb'"),
               "column 12: 'a\tb': expected a phase as in X_DDP_PHASE"));
  CHECK(starts(refusal("kill@phase=" + std::string(65, 'a')), "column 12:"));
  CHECK(parsed("kill@phase=" + std::string(64, 'a')).phase == std::string(64, 'a'));
}

TEST_CASE("ranks are checked against the world") {
  CHECK(refusal("kill@rank=3", 4) == "accepted");
  CHECK(refusal("kill@step=1,rank=0-4", 4) ==
        "column 18: '0-4': expected ranks from 0 to 3, because the world size is 4");
}

TEST_CASE("every fault has a separate name, and takes what its row has") {
  std::set<std::string> names;
  for (const auto& row : kinds()) {
    CHECK(names.insert(row.name).second);
    CHECK(info(row.kind).name == row.name);
  }
}

// Specs made at random from the table, each written by format() and read back.
TEST_CASE("what is formatted is parsed to the same spec") {
  std::mt19937_64 random(1);
  const auto dice = [&](std::int64_t sides) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(sides));
  };
  const auto duration = [&] { return Nanoseconds(dice(4'000'000'000'000) + 1'000'000); };
  const std::string texts[] = {"loss", "a, b", "it's", "x=y@z", "\"both' quotes\"", "[0-9]+ nan"};
  int periodic = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto& row = kinds()[static_cast<std::size_t>(dice(static_cast<int>(kinds().size())))];
    Spec spec;
    spec.kind = row.kind;
    switch (row.type) {
      case ValueType::none:
        break;
      case ValueType::signal:
      case ValueType::errnum:
        spec.value = dice(30) + 1;
        break;
      case ValueType::code:
      case ValueType::core:
      case ValueType::bit:
        spec.value = dice(32);
        break;
      case ValueType::fraction:
        spec.value = 0.01 + static_cast<double>(dice(98)) / 100;
        break;
      case ValueType::duration:
        spec.value = duration();
        break;
      case ValueType::bytes:
        spec.value = Amount{dice(1'000'000'000'000), row.kind != Kind::file_size && dice(2) == 0};
        break;
      case ValueType::count:
      case ValueType::seconds:
        spec.value = Amount{dice(1000), dice(2) == 0};
        break;
    }
    const auto with = [&](Word word) {
      return (row.words & (1u << static_cast<unsigned>(word))) != 0 && dice(3) == 0;
    };
    if (with(Word::rank)) {
      const auto first = dice(8);
      if (dice(2) == 0) {
        spec.ranks = {Ranks::Mode::listed, {{first, first + dice(3)}, {first + 5, first + 9}}};
      } else {
        spec.ranks.mode = Ranks::Mode::all;
      }
    }
    if (with(Word::mtbf) || with(Word::every)) {
      ++periodic;
      const bool steps = row.side == Side::worker || dice(2) == 0;
      const auto interval = steps ? Interval(dice(100) + 1) : Interval(duration());
      (dice(2) == 0 ? spec.every : spec.mtbf) = interval;
    } else {
      if (with(Word::step)) spec.step = Range{dice(100), 100 + dice(100)};
      if (with(Word::phase)) spec.phase = texts[dice(6)];
      if (with(Word::after)) spec.after = duration();
      if (with(Word::ready)) spec.ready = duration();
      if (with(Word::line)) spec.line = texts[dice(6)];
    }
    if (with(Word::gen)) spec.generations = {{dice(3), 3 + dice(3)}};
    if (with(Word::times)) spec.times = dice(9) + 1;
    if (with(Word::lasts)) spec.lasts = duration();
    if (with(Word::seed)) spec.seed = random();
    if (with(Word::choice)) spec.choice = random();
    const std::string text = format(spec);
    CAPTURE(text);
    const auto back = parse(text);
    REQUIRE_MESSAGE(back, (back ? "" : back.error()));
    REQUIRE(*back == spec);
    REQUIRE(format(*back) == text);
  }
  CHECK(periodic > 1000);
}

TEST_CASE("no text stops the parser, and what it accepts it can format") {
  std::mt19937_64 random(2);
  constexpr std::string_view kAlphabet = "kilstop@=,-+'\" 0123456789rankmseverytf\t\x80.";
  int accepted = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string text = random() % 2 == 0 ? "kill@rank=1,step=50" : "stop@every=5s,for=1s";
    for (int change = 0; change < 3; ++change) {
      const auto at = random() % text.size();
      text[at] = kAlphabet[random() % kAlphabet.size()];
    }
    const auto spec = parse(text);
    if (!spec) {
      REQUIRE(starts(spec.error(), "column "));
      continue;
    }
    ++accepted;
    const auto back = parse(format(*spec));
    REQUIRE(back);
    REQUIRE(*back == *spec);
  }
  CHECK(accepted > 20);
}

// docs/faults.md holds a row for each fault between two marks.
TEST_CASE("the page has every fault, and no other") {
  std::ifstream file(DDP_SOURCE_DIR "/docs/faults.md");
  REQUIRE(file);
  std::stringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  const auto from = text.find("<!-- faults -->");
  const auto to = text.find("<!-- end of faults -->");
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  std::istringstream table(text.substr(from, to - from));
  std::size_t rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("| `")) continue;
    REQUIRE(rows < kinds().size());
    const auto& row = kinds()[rows++];
    CHECK(line.starts_with("| `" + std::string(row.name) + "` |"));
    CHECK(line.ends_with("| " + std::string(row.what) + " |"));
  }
  CHECK(rows == kinds().size());
}
