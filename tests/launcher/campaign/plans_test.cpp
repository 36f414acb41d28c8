#include "launcher/campaign/options.hpp"
#include "launcher/plan/plan_file.hpp"
#include "tests/launcher/cli/options_fixture.hpp"

#include <filesystem>
#include <set>

namespace {

using namespace ddp;
using namespace ddp::campaign;

// A directory of plans on a machine of our own.
class Plans {
 public:
  void plan(const std::string& name, const std::string& text) const {
    machine_.file("plans/" + name, text);
  }
  std::string dir() const { return (machine_.root / "plans").string(); }

  std::variant<Campaign, ExitNow> parse(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--campaign", dir()});
    std::vector<const char*> argv{"ddp-launch"};
    for (const auto& word : words) argv.push_back(word.c_str());
    return parse_campaign(static_cast<int>(argv.size()), argv.data(), machine_.machine());
  }
  Campaign good(std::vector<std::string> words) const {
    auto parsed = parse(std::move(words));
    const auto* leave = std::get_if<ExitNow>(&parsed);
    REQUIRE_MESSAGE(leave == nullptr, leave->text);
    return std::get<Campaign>(std::move(parsed));
  }
  // The lines of a refusal, without "ddp-launch: " and the plans' directory.
  std::string refused(std::vector<std::string> words = {"--", "./worker"}) const {
    const auto parsed = parse(std::move(words));
    const auto* leave = std::get_if<ExitNow>(&parsed);
    if (leave == nullptr) return "accepted";
    CHECK(leave->code == 2);
    std::string text = leave->text;
    for (const auto& part : {std::string("ddp-launch: "), dir() + "/"}) {
      for (std::size_t at; (at = text.find(part)) != std::string::npos;)
        text.erase(at, part.size());
    }
    return text;
  }

 private:
  FakeMachine machine_;
};

using Words = std::vector<std::string>;

bool is_asked(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "ddp-launch");
  return is_campaign(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("a campaign is asked for by its flag, not by a word of the program") {
  CHECK(is_asked({"--campaign", "dir"}));
  CHECK(is_asked({"--nproc", "2", "--campaign=dir", "--", "x"}));
  CHECK_FALSE(is_asked({"x", "--campaign", "dir"}));
  CHECK_FALSE(is_asked({"--", "--campaign"}));
  CHECK_FALSE(is_asked({"--campaign"}));  // its value is missing: the parser reports that
  CHECK_FALSE(is_asked({"--help", "--campaign", "dir"}));
}

TEST_CASE("a run is given the campaign's flags, the plan's over them, and its own directory") {
  const Plans plans;
  plans.plan("b.toml", "[launch]\noptions = ['--nproc', '3', '-t', '3']\ntimeout = '7s'\n");
  plans.plan("a.toml", "[launch]\ncommand = ['sh', '{dir}/x', '{dir}{dir}']\n");
  plans.plan("no plan", "");
  const auto campaign =
      plans.good({"--nproc=2", "--shutdown-timeout", "4", "--", "./worker", "--out", "{dir}"});
  REQUIRE(campaign.runs.size() == 2);
  CHECK(run_arguments(campaign.runs[0], "/c") ==
        Words{"--nproc=2", "--shutdown-timeout=4", "--faults=" + plans.dir() + "/a.toml",
              "--log-dir=/c", "--run-id=a", "--", "sh", "/c/a/work/x", "/c/a/work/c/a/work"});
  CHECK(run_arguments(campaign.runs[1], "/c") ==
        Words{"--nproc=3", "--shutdown-timeout=4", "--tee=3", "--faults=" + plans.dir() + "/b.toml",
              "--log-dir=/c", "--run-id=b", "--", "./worker", "--out", "/c/b/work"});
  CHECK(campaign.runs[1].plan.launch.timeout == std::chrono::seconds(7));
  CHECK(campaign.runs[1].shutdown_timeout == std::chrono::seconds(4));
  CHECK(campaign.log_dir == "");
  CHECK(campaign.run_id != "");
}

TEST_CASE("the campaign's own flags are not its runs'") {
  const Plans plans;
  plans.plan("a.toml", "");
  const auto campaign = plans.good({"--log-dir", "logs", "--run-id", "nightly", "--junit", "x.xml",
                                    "--dry-run", "--fault-seed", "9", "--", "./worker"});
  CHECK(campaign.log_dir == "logs");
  CHECK(campaign.run_id == "nightly");
  CHECK(campaign.junit == "x.xml");
  CHECK(campaign.dry_run);
  CHECK(run_arguments(campaign.runs[0], "/c") ==
        Words{"--fault-seed=9", "--faults=" + plans.dir() + "/a.toml", "--log-dir=/c", "--run-id=a",
              "--", "./worker"});
  CHECK(campaign.runs[0].plan.seed == 9);
}

TEST_CASE("all errors are reported, one line a plan") {
  const Plans plans;
  plans.plan("a.toml", "fault = ['kill@stp=5']");
  plans.plan("b.toml", "");
  plans.plan("c.toml", "[launch]\noptions = ['--nproc', 'x']");
  plans.plan("d.toml", "name = 'b'");
  CHECK(plans.refused() ==
        "a.toml:1:10: 'kill@stp=5': column 6: 'stp': expected rank, step, phase, after, ready, "
        "line, gen, every, mtbf, times, seed\n"
        "c.toml: --nproc is 'x': expected a number from 1 to 4096, or auto, cpu, gpu, xpu\n"
        "d.toml: the name 'b' is already that of b.toml: expected a unique name\n");
}

TEST_CASE("files that an editor hides are no plans, as in a shell's *.toml") {
  const Plans plans;
  plans.plan("a.toml", "");
  for (const char* name : {".a.toml", ".toml", ".#a.toml"}) plans.plan(name, "fault = [");
  CHECK(plans.good({"--", "./worker"}).runs.size() == 1);
}

TEST_CASE("a plan is checked together with the campaign's options") {
  const Plans plans;
  const auto refused = [&](const std::string& text, Words words = {"--", "./worker"}) {
    plans.plan("p.toml", text);
    return plans.refused(std::move(words));
  };
  CHECK(refused("") == "accepted");
  CHECK(refused("fault = ['kill@rank=1']").starts_with("p.toml:1:10: 'kill@rank=1': column 11"));
  CHECK(refused("fault = ['kill@rank=1']", {"--nproc=2", "--", "./worker"}) == "accepted");
  CHECK(refused("", {}).starts_with("p.toml: no program is given"));
  CHECK(refused("[launch]\noptions = ['word']").starts_with("p.toml: [launch] options: 'word' is"));
  CHECK(refused("[launch]\noptions = ['--', 'x']").starts_with("p.toml: [launch] options: 'x' is"));
  for (const char* flag : {"--log-dir", "--run-id", "--junit", "--campaign", "--faults", "--inject",
                           "--replay", "--stdin", "--nnodes"}) {
    CHECK(refused("[launch]\noptions = ['" + std::string(flag) + "', '1']")
              .starts_with("p.toml: [launch] options: " + std::string(flag) +
                           " cannot be used in a plan: "));
  }
  CHECK(refused("[launch]\noptions = ['--help']")
            .starts_with("p.toml: [launch] options: --help cannot be used in a plan: "));
  CHECK(refused("", {"--replay", "x", "--", "./worker"}) ==
        "--replay cannot be used with --campaign: the plans have the faults\n");
  plans.plan("two words.toml", "");
  CHECK(plans.refused().starts_with("two words.toml: the plan's file name is the name of its run"));
}

TEST_CASE("the shipped campaign injects every kind of fault") {
  std::set<fault::Kind> missing;
  for (const auto& kind : fault::kinds()) missing.insert(kind.kind);
  int plans = 0;
  const std::filesystem::path shipped(DDP_SOURCE_DIR "/examples/campaign");
  for (const auto& file : std::filesystem::directory_iterator(shipped)) {
    const auto plan = read_fault_plan(file.path().string(), 3);
    REQUIRE_MESSAGE(plan, (plan ? "" : plan.error()));
    CHECK(plan->expect);
    for (const auto& spec : plan->faults) missing.erase(spec.kind);
    ++plans;
  }
  for (const auto kind : missing) CHECK_MESSAGE(false, "no plan with " << fault::info(kind).name);
  CHECK(plans >= 25);
}

TEST_CASE("one plan may be named instead of a directory") {
  FakeMachine machine;
  machine.file("one.toml", "");
  const std::string path = (machine.root / "one.toml").string();
  const std::vector<const char*> argv{"ddp-launch", "--campaign", path.c_str(), "x"};
  const auto parsed = parse_campaign(static_cast<int>(argv.size()), argv.data(), machine.machine());
  REQUIRE(std::holds_alternative<Campaign>(parsed));
  CHECK(std::get<Campaign>(parsed).runs.size() == 1);
}
