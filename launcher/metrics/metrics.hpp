// Room: launcher/metrics. Metrics of a run for Prometheus: what it counts, its text format, an HTTP
// endpoint, a file.
// Includes: common, launcher/base, launcher/core, launcher/core/progress, launcher/core/record,
// launcher/os, launcher/settings. Included by: launcher/cli, launcher/supervisor.
//
// Takes part in the stream of events and shows what it has seen: to whoever asks, and in a file
// that is written anew when something has changed, at most once a second. While nothing changes and
// no client is connected, it has no timer and does nothing. Without --metrics and --metrics-file
// there is none of it.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/core/progress/goodput.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/metrics/counts.hpp"
#include "launcher/metrics/exposition.hpp"
#include "launcher/metrics/http_server.hpp"
#include "launcher/metrics/options.hpp"
#include "launcher/os/loop.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ddp::metrics {

class Metrics final : public core::Observer {
 public:
  // What other observers have made of the events; each takes an event before this does.
  struct Sources {
    std::function<const core::Progress&()> progress;
    std::function<const core::RunRecord&()> record;
    std::function<std::optional<core::Goodput>()> goodput;
    std::function<int()> exit_code;  // once the run has finished
  };
  // `io` and `loop`, which runs on it, are borrowed.
  Metrics(boost::asio::io_context& io, os::Loop& loop, Options options, RunFacts facts,
          RestartLimit limit, Sources sources);

  // Before any worker is started. An empty address: nothing is served. Or why the system refused.
  Result<std::string> open();

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  void apply(const core::StartRequested& start, core::TimePoint now);
  void apply(const core::FaultInjected& fault, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);
  void apply(const core::Finish& finish, core::TimePoint now);

 private:
  std::shared_ptr<const std::string> text();
  std::string make_text() const;
  void changed(core::TimePoint now);
  void write(core::TimePoint now);

  os::Loop& loop_;
  const Options options_;
  const RunFacts facts_;
  const Sources sources_;
  Counts counts_;
  WallTime began_;
  std::optional<RunEnd> end_;

  std::unique_ptr<HttpServer> server_;
  std::shared_ptr<const std::string> text_;  // that was last served
  core::TimePoint text_until_;               // for how long it is good enough

  std::unique_ptr<os::Timer> timer_;  // of the file
  core::TimePoint written_;
  std::uint64_t version_ = 0;  // of the progress that is in the file
  bool due_ = false;
  bool failed_ = false;
};

}  // namespace ddp::metrics
