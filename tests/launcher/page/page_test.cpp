#include "launcher/page/page.hpp"
#include "launcher/page/chart.hpp"
#include "launcher/page/html.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <limits>
#include <string>

using namespace ddp;
using namespace ddp::page;
using namespace std::chrono_literals;

namespace {

core::TimePoint at(double seconds) {
  return core::TimePoint(core::Nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
}

// `attempts` attempts of 10 s, each of 8 s of steps, of which the last second is done again.
history::History run_of(int ranks, int attempts, int points = 8) {
  history::History history;
  history.run.run_id = "r1";
  history.run.nproc = ranks;
  history.began = at(0);
  for (int i = 0; i < attempts; ++i) {
    const double began = 10.0 * i;
    history::Generation one{.number = i, .began = at(began)};
    const bool last = i + 1 == attempts;
    const std::int64_t first = 7 * i + 1;
    one.first = first;
    one.ready = at(began + 1);
    for (int k = 1; k <= points; ++k)
      one.points.push_back({first - 1 + 8 * k / points, at(began + 1 + 8.0 * k / points), 2.0});
    for (int rank = 0; rank < ranks; ++rank)
      one.ranks.push_back({.rank = rank,
                           .pid = 100 + rank,
                           .spawned = at(began + 0.1),
                           .ready = at(began + 1),
                           .exited = at(began + 9.8),
                           .code = last ? 0 : 1});
    if (!last) one.teardown = at(began + 9.5);
    one.ended = at(began + 9.9);
    one.exit_code = last ? 0 : 1;
    one.root_cause = last ? -1 : 0;
    history.generations.push_back(std::move(one));
  }
  history.end = at(10.0 * attempts);
  history.finished = true;
  history.exit_code = 0;
  return history;
}

}  // namespace

TEST_CASE("text becomes no markup") {
  Html html;
  html.text("<b>&\"'\x01\n\xff</b>");
  CHECK(html.str() == "&lt;b&gt;&amp;&quot;&#39; \n\xEF\xBF\xBD&lt;/b&gt;");
}

TEST_CASE("JSON in a script ends neither the element nor a line") {
  const std::string json = "\"</script><!--\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA&\"";
  const auto safe = script_json(json);
  CHECK(safe == "\"\\u003c/script\\u003e\\u003c!--\\u2028\\u2029\xE2\x80\xAA\\u0026\"");
  CHECK(boost::json::parse(safe) == boost::json::parse(json));
}

TEST_CASE("numbers have no more digits than they need") {
  const auto real = [](double number) { return Html().real(number, 2).str(); };
  CHECK(real(1) == "1");
  CHECK(real(1.256) == "1.26");
  CHECK(real(-0.001) == "0");
  CHECK(real(std::numeric_limits<double>::quiet_NaN()) == "0");
}

TEST_CASE("a lane has its activities without a gap, and what was done again apart") {
  const auto chart = chart_of(run_of(1, 2));
  REQUIRE(chart.attempts.size() == 2);
  const auto& segments = chart.attempts[0].lanes.at(0).segments;
  using history::Activity;
  REQUIRE(segments.size() == 5);
  const Activity expected[] = {Activity::start_up, Activity::steps, Activity::repeated,
                               Activity::unfinished, Activity::stopping};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    CHECK(segments[i].activity == expected[i]);
    if (i > 0) CHECK(segments[i].from == segments[i - 1].to);
  }
  CHECK(segments[2].from == at(8));
  CHECK(segments[2].to == at(9));
  CHECK(segments[4].to == at(9.8));
  const auto& last = chart.attempts[1].lanes.at(0).segments;
  REQUIRE(last.size() == 3);
  CHECK(last[1].activity == Activity::steps);
  CHECK(last[2].activity == Activity::shutdown);
}

TEST_CASE("a rank that reports nothing runs; one that is torn down at once is only stopped") {
  history::Generation attempt;
  history::RankSpan rank{.rank = 0, .spawned = at(1), .exited = at(4), .code = 0};
  auto found = history::segments(attempt, rank, std::nullopt, at(9));
  REQUIRE(found.size() == 1);
  CHECK(found[0].activity == history::Activity::running);
  attempt.teardown = at(0.5);
  found = history::segments(attempt, rank, std::nullopt, at(9));
  REQUIRE(found.size() == 1);
  CHECK(found[0].activity == history::Activity::stopping);
  // It still goes on: until the last event.
  rank.exited.reset();
  attempt.teardown.reset();
  found = history::segments(attempt, rank, std::nullopt, at(9));
  REQUIRE(found.size() == 1);
  CHECK(found[0].to == at(9));
}

TEST_CASE("the data is JSON, whatever a worker wrote") {
  auto history = run_of(2, 2);
  history.faults.push_back({.at = at(3), .text = "kill@line='</script>\"\\\xff'"});
  history.generations[0].points[2].loss = std::numeric_limits<double>::infinity();
  const auto parsed = boost::json::parse(json_of(chart_of(history)));
  CHECK(parsed.at("attempts").as_array().size() == 2);
  CHECK(parsed.at("curve").at(2).at(2).is_null());
  const auto& fault = parsed.at("marks").at(0);
  CHECK(fault.at(3) == "injected: kill@line='</script>\"\\\xEF\xBF\xBD'");
}

TEST_CASE("the verdict is first") {
  auto history = run_of(2, 1);
  const auto is_before = [&](std::string_view one, std::string_view other) {
    const auto text = html(history, "n");
    INFO(one);
    REQUIRE(text.find(one) != std::string::npos);
    CHECK(text.find(one) < text.find(other));
  };
  is_before("The run succeeded</h1>", "Timeline</h2>");
  history.exit_code = 3;
  history.failures.push_back({.rank = 1,
                              .cause = "exit 3",
                              .diagnosis = "gpu-memory",
                              .diagnosis_cause = "no memory",
                              .remedy = "a smaller batch"});
  is_before("The run failed with exit code 3</h1>", "rank 1, exit 3");
  is_before("rank 1, exit 3", "Diagnosis: gpu-memory");
  is_before("a smaller batch", "Timeline</h2>");
  history.finished = false;
  is_before("The run did not finish</h1>", "rank 1, exit 3");
}

TEST_CASE("a large run's page is below 5 MB and is made in a moment") {
  const auto size = [](const history::History& history) { return html(history, "n").size(); };
  CHECK(size(run_of(256, 3, 10'000)) < 1'000'000);
  auto history = run_of(256, 200);
  for (int i = 0; i < 1000; ++i)
    history.last_lines.push_back({0, i % 256, std::vector<std::string>(20, std::string(200, 'x'))});
  const auto began = std::chrono::steady_clock::now();
  const auto bytes = size(history);
  CHECK(bytes < 5'000'000);
  CHECK(bytes > 500'000);  // it was not left empty
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(html(history, "n").find("Oldest attempts that are not drawn: 136") != std::string::npos);
}

TEST_CASE("a report is written whole, or says why not") {
  const auto dir = test::make_temp_dir().string();
  const auto output = dir + "/report.html";
  const auto events = std::string(DDP_SOURCE_DIR) + "/tests/launcher/history/run.jsonl";
  CHECK(write_report(events, output) == "");
  CHECK(test::read_file(output).ends_with("</html>\n"));
  // Each page has a new nonce.
  const auto second = dir + "/second.html";
  CHECK(write_report(events, second) == "");
  CHECK(test::read_file(output) != test::read_file(second));
  CHECK(write_report(dir + "/none", output) == dir + "/none: No such file or directory");
  CHECK(write_report(events, "/nowhere/report.html").starts_with("/nowhere/report.html: "));
}
