// The event file on a real disk: its content, and what is reported when writing fails.
#include "launcher/events/event_log.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <vector>

namespace {

using namespace ddp;
using ddp::test::make_temp_dir;
using ddp::test::read_file;

const core::TimePoint kNow = std::chrono::steady_clock::now();

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// An event log in a separate directory, and what it reported.
struct Log {
  const std::filesystem::path directory = make_temp_dir();
  const std::string path = (directory / "events.jsonl").string();
  std::vector<std::string> reports;
  EventLog events{path, [this](const std::string& text) { reports.push_back(text); }};
};

}  // namespace

TEST_CASE("a line is JSON whatever bytes a text has") {
  Log log;
  log.events.write(kNow, "x", {{"file", std::string("a\xff\"\n/\xe2\x82\xac")}});
  const std::string line = read_file(log.path);
  CHECK(line.starts_with("{\"v\":1,"));
  CHECK(contains(line, "\"file\":\"a\xef\xbf\xbd\\\"\\n/\xe2\x82\xac\"}\n"));
  CHECK(log.reports.empty());
}

TEST_CASE("a removed file is reported once, and nothing more is written to it") {
  Log log;
  log.events.write(kNow, "x", {});
  log.events.check();
  CHECK(log.reports.empty());
  std::filesystem::remove(log.path);
  log.events.check();
  log.events.check();
  log.events.write(kNow, "x", {});
  REQUIRE(log.reports.size() == 1);
  CHECK(log.reports[0] == log.path + ": it was removed; events are no longer recorded");
  CHECK_FALSE(log.events.enabled());
}

TEST_CASE("a FIFO in place of the file does not block, and is reported once") {
  const std::string path = (make_temp_dir() / "events.jsonl").string();
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::vector<std::string> reports;
  EventLog events(path, [&](const std::string& text) { reports.push_back(text); });
  events.write(kNow, "x", {});
  CHECK_FALSE(events.enabled());
  REQUIRE(reports.size() == 1);
  CHECK(contains(reports[0], "events.jsonl"));
}

TEST_CASE("the events for a campaign arrive even if the file is lost") {
  const auto directory = make_temp_dir();
  const std::string campaign = (directory / "campaign").string();
  const os::ScopedFd file(::open(campaign.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  std::vector<std::string> reports;
  EventLog events(
      "/dev/full", [&](const std::string& text) { reports.push_back(text); },
      campaign_file(file.get()));
  events.write(kNow, "worker_started", {{"rank", std::int64_t{1}}});
  events.write(kNow, "failure", {{"gen", std::int64_t{0}}});
  events.write(kNow, "expectation", {{"name", std::string("exit")}});
  const std::string text = read_file(campaign);
  CHECK_FALSE(contains(text, "worker_started"));
  CHECK(contains(text, "\"failure\""));
  CHECK(contains(text, "\"expectation\""));
  REQUIRE(reports.size() == 1);
  CHECK(contains(text, "\"event\":\"lost\",\"what\":\"" + reports[0] + "\"}\n"));
  CHECK(reports[0] == "/dev/full: No space left on device; events are no longer recorded");
}

TEST_CASE("a campaign's file that is another by now, or none, is left alone") {
  const auto directory = make_temp_dir();
  const std::string ours = (directory / "ours").string();
  const std::string strangers = (directory / "strangers").string();
  const os::ScopedFd file(::open(ours.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  test::write_file(strangers, "");
  const auto name = campaign_file(file.get());
  const auto identity = name.substr(0, name.find('/'));
  const std::string missing = (directory / "missing").string();
  for (const auto& other : {identity + strangers, identity + missing, strangers, identity,
                            std::string("1:1:") + ours, std::string("x")}) {
    CAPTURE(other);
    EventLog events("", nullptr, other);
    events.write(kNow, "failure", {});
  }
  CHECK(read_file(strangers) == "");
  CHECK_FALSE(std::filesystem::exists(missing));
  CHECK(read_file(ours) == "");
  EventLog("", nullptr, identity + ours).write(kNow, "failure", {});
  CHECK(contains(read_file(ours), "failure"));
}
