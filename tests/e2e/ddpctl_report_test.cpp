// ddpctl report and ddpctl trace: a run from its events.jsonl, whatever became of its launcher.
#include "tests/e2e/control.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace ddp::test;
namespace fs = std::filesystem;

namespace {

const Words kLogged{"--run-id", "r", "--log-dir", "logs"};

// As the check of the Trace Event Format reads it.
Finished read_trace(const Scene& scene, const std::string& path) {
  Start start;
  start.argv = {"python3", DDP_SOURCE_DIR "/tests/launcher/trace/trace_test.py", path};
  start.env = scene.env;
  start.directory = scene.directory.string();
  Process process(start);
  const Status status = process.wait();
  return {status, process.out(), process.err()};
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Both are made of `where`, next to its events, and are whole.
void check_both(const Scene& scene, const std::string& where, const std::string& headline) {
  const auto page = ctl(scene, {"report", where});
  CAPTURE(page.err);
  CHECK(page.status == Status{.code = 0});
  REQUIRE(page.out.ends_with("report.html\n"));
  const auto html = read_file(scene.path(lines_of(page.out).at(0)));
  CHECK(contains(html, headline));
  CHECK(html.ends_with("</html>\n"));
  const auto trace = ctl(scene, {"trace", where});
  CAPTURE(trace.err);
  CHECK(trace.status == Status{.code = 0});
  REQUIRE(trace.out.ends_with("trace.json\n"));
  const auto checked = read_trace(scene, lines_of(trace.out).at(0));
  CAPTURE(checked.err);
  CHECK(checked.status == Status{.code = 0});
  CHECK(checked.out != "");
}

void check_refused(const Finished& run, const std::string& why) {
  CHECK(run.status == Status{.code = 1});
  CHECK(run.out == "");
  CHECK(run.err == "ddpctl: " + why + "\n");
}

}  // namespace

TEST_CASE("a finished run: its directory or its file, to a file or to stdout") {
  const Scene scene;
  const auto run =
      scene.run(kLogged + Words{"--nproc", "2"},
                helper({"notify", "READY=1\nX_DDP_STEP=1", "on-rank", "1", "[", "exit", "3", "]"}));
  CHECK(run.status == Status{.code = 3});
  fs::remove(scene.path("logs/r/report.html"));
  check_both(scene, "logs/r", "The run failed with exit code 3</h1>");
  fs::remove(scene.path("logs/r/report.html"));
  check_both(scene, "logs/r/events.jsonl", "The run failed with exit code 3</h1>");
  CHECK(ctl(scene, {"report", "logs/r", "-o", "page.html"}).out == "page.html\n");
  CHECK(contains(read_file(scene.path("page.html")), "rank 1, exit 3"));
  const auto shown = ctl(scene, {"trace", "logs/r", "-o", "-"});
  CHECK(shown.out == read_file(scene.path("logs/r/trace.json")));
  // The negative control of the trace's check.
  write(scene.path("half.json"), shown.out.substr(0, shown.out.size() / 2));
  CHECK(read_trace(scene, "half.json").status.code == 1);
}

TEST_CASE("a run that goes on: the only one, or the one that is named") {
  const Scene scene;
  Process launch =
      scene.launch(kLogged + Words{"--nproc", "2"},
                   helper({"notify", "READY=1\nX_DDP_STEP=1", "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const auto page = ctl(scene, {"report"});
  CHECK(page.status == Status{.code = 0});
  CHECK(page.out == fs::canonical(scene.path("logs/r")).string() + "/report.html\n");
  CHECK(contains(read_file(scene.path("logs/r/report.html")), "The run did not finish</h1>"));
  CHECK(ctl(scene, {"trace", "--run", "r", "-o", "now.json"}).out == "now.json\n");
  CHECK(read_trace(scene, "now.json").status == Status{.code = 0});
  CHECK(ctl(scene, {"report", "--run", "other"}).status == Status{.code = 1});
  Process bare =
      scene.launch({"--nproc", "1", "--run-id", "bare"}, helper({"print", "up", "pause"}));
  bare.until("up");
  CHECK(ctl(scene, {"report"}).status == Status{.code = 2});
  check_refused(ctl(scene, {"report", "--run", "bare"}),
                "the run bare has no events.jsonl: it has no --log-dir");
  for (const char* run : {"r", "bare"}) ctl(scene, {"stop", "--run", run});
  CHECK(bare.wait() == Status{.code = 143});
  CHECK(finish(scene, launch).status == Status{.code = 143});
  // Its launcher has made the page again, at the end.
  CHECK(contains(read_file(scene.path("logs/r/report.html")), "exit code 143</h1>"));
}

TEST_CASE("a run whose launcher was killed, with a last line that is cut") {
  const Scene scene;
  Process launch =
      scene.launch(kLogged + Words{"--nproc", "2"},
                   helper({"notify", "READY=1\nX_DDP_STEP=1", "print", "up", "pause"}));
  launch.until("up");
  launch.until("up");
  const int supervisor = supervisor_pid(launch);
  kill(launch.pid(), SIGSTOP);
  kill(supervisor, SIGKILL);
  kill(launch.pid(), SIGKILL);
  CHECK(launch.wait() == Status{.signal = SIGKILL});
  check_both(scene, "logs/r", "The run did not finish</h1>");
  const auto events = scene.path("logs/r/events.jsonl");
  const auto whole = read_file(events);
  fs::create_directory(scene.path("cut"));
  write(scene.path("cut/events.jsonl"), whole.substr(0, whole.size() - 20));
  check_both(scene, "cut", "The run did not finish</h1>");
  CHECK(contains(read_file(scene.path("cut/report.html")), "lines that could not be read: 1"));
}

TEST_CASE("any text in the events is text in the page and in the trace") {
  const Scene scene;
  fs::create_directory(scene.path("odd"));
  const std::string hostile = R"(</script><script>alert(1)</script>\u0000\u001b[31m \" ]]>)";
  const std::string head = R"({"v":1,"t_ns":)";
  write(scene.path("odd/hostile.txt"),
        head + R"(1,"event":"run_started","run_id":")" + hostile +
            R"(","nproc":2147483647,"first_rank":-2147483648,"command":")" + hostile + "\"}\n" +
            head + R"(2,"event":"generation_began","gen":0})" + "\n" + head +
            R"(3,"event":"worker_started","gen":0,"rank":-2147483648,"pid":-1})" + "\n" +
            // Times that go back and overflow, and bytes that are no UTF-8.
            head + R"(-9223372036854775808,"event":"worker_exited","gen":0,"rank":-2147483648})" +
            "\n" + head + R"(9223372036854775807,"event":"fault_injected","gen":0,"replay":")" +
            hostile + "\xff\"}\n" + std::string(3 << 20, 'x') + "\n\n\x01\n[]\n\"\\ud800\"\n" +
            head + R"(5,"event":"failure","gen":0,"diagnosis_cause":")" + hostile +
            R"(","remedy":")" + hostile + R"(","evidence":")" + hostile + "\"}\n" + head);
  const auto page = ctl(scene, {"report", "odd/hostile.txt", "-o", "-"});
  CHECK(page.status == Status{.code = 0});
  CHECK(page.err == "");
  CHECK_FALSE(contains(page.out, "<script>alert"));
  CHECK(contains(page.out, "&lt;script&gt;alert(1)"));
  CHECK(ctl(scene, {"trace", "odd/hostile.txt"}).status == Status{.code = 0});
  const auto checked = read_trace(scene, "odd/trace.json");
  CAPTURE(checked.err);
  CHECK(checked.status == Status{.code = 0});
}

TEST_CASE("what is no run is refused in one line, and nothing is left behind") {
  const Scene scene;
  check_refused(ctl(scene, {"report", "none"}), "none: No such file or directory");
  fs::create_directory(scene.path("empty"));
  check_refused(ctl(scene, {"trace", "empty"}), "empty/events.jsonl: No such file or directory");
  REQUIRE(mkfifo(scene.path("fifo").c_str(), 0600) == 0);
  check_refused(ctl(scene, {"report", "fifo"}), "fifo: it is not a regular file");
  write(scene.path("empty/garbage"), std::string(100'000, '\xfe') + "\n{\"event\":7}\n");
  check_refused(ctl(scene, {"report", "empty/garbage"}), "empty/garbage: it has no event of a run");
  const std::string event = R"({"v":1,"t_ns":1,"event":"run_started","run_id":"r"})"
                            "\n";
  write(scene.path("empty/events.jsonl"), event);
  check_refused(ctl(scene, {"report", "empty", "-o", "empty/events.jsonl"}),
                "empty/events.jsonl: it has the run's events, and is not overwritten");
  CHECK(read_file(scene.path("empty/events.jsonl")) == event);
  check_refused(ctl(scene, {"report", "empty", "-o", "none/page.html"}),
                "none/page.html: No such file or directory");
  fs::remove(scene.path("empty/garbage"));
  CHECK(std::distance(fs::directory_iterator(scene.path("empty")), {}) == 1);
  check_refused(ctl(scene, {"report"}), "no run of ddp-launch was found");
}
