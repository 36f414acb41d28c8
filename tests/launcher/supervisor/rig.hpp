// A whole launch around fake workers and a fake clock: the real supervisor, group, faults, hangs,
// reporter and output. Its events and its console are read from files.
#pragma once

#include "launcher/base/log.hpp"
#include "launcher/output/router.hpp"
#include "launcher/supervisor/supervisor.hpp"
#include "tests/launcher/supervisor/fake_loop.hpp"
#include "tests/launcher/supervisor/fake_workers.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace ddp::test {

inline Options options_of(int nproc) {
  Options options;
  options.ranks.nproc = nproc;
  options.group.nproc = nproc;
  options.rendezvous.run_id = "r1";
  options.workers.command = {"train"};
  options.rendezvous.master_port = 29500;
  options.output.redirect.resize(static_cast<std::size_t>(nproc));
  options.output.tee.resize(static_cast<std::size_t>(nproc));
  options.output.shown.assign(static_cast<std::size_t>(nproc), true);
  return options;
}

inline void plan_fault(Options& options, const std::string& text) {
  const auto spec = fault::parse(text, options.ranks.world_size());
  REQUIRE_MESSAGE(spec, (spec ? "" : spec.error()));
  options.faults.plan.faults.push_back(*spec);
}

class Rig {
 public:
  explicit Rig(Options chosen)
      : options(std::move(chosen)),
        console_(::open((dir / "console").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)),
        router(loop.io, config(options), console_.get(), console_.get(), [](const auto&) {}),
        supervisor({.loop = loop,
                    .options = options,
                    .router = router,
                    .workers = workers,
                    .run_dir = dir.string(),
                    .private_dir = dir.string(),
                    .observers = {},
                    .discard_queued = [this] { ++discarded; },
                    .clear = [this] { ++cleared; }}) {
    workers.exited = [this](const core::WorkerExited& exited) { supervisor.publish(exited); };
    supervisor.reporter().record_in(dir.string());
  }

  // The group has started all its workers.
  void start() {
    supervisor.start();
    loop.run();
  }
  void step(core::LocalRank rank, std::int64_t step) {
    NotifyMessage message;
    message.step = step;
    supervisor.notified(rank, message);
    loop.run();
  }
  void ready(core::LocalRank rank) {
    NotifyMessage message;
    message.ready = true;
    supervisor.notified(rank, message);
  }
  void exit(core::LocalRank rank, core::ExitStatus status) {
    workers.exit(rank, status);
    loop.run();
  }
  void request_stop(int signal) {
    supervisor.publish(core::StopRequested{signal});
    loop.run();
  }

  // "worker_exited 1", in order; the rank where there is one.
  std::vector<std::string> events() const {
    std::vector<std::string> all;
    long long last = 0;
    std::istringstream lines(read_file(dir / "events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto field = [&](const std::string& name) {
        const auto at = line.find("\"" + name + "\":");
        if (at == std::string::npos) return std::string();
        const auto begin = at + name.size() + 3;
        std::string value = line.substr(begin, line.find_first_of(",}", begin) - begin);
        std::erase(value, '"');
        return value;
      };
      // Every line has the time of the loop's clock, so no line is older than the one before.
      const long long at = std::stoll(field("t_ns"));
      CHECK_MESSAGE(at >= last, line);
      last = at;
      const auto rank = field("rank");
      all.push_back(field("event") + (rank.empty() || rank == "-1" ? "" : " " + rank));
    }
    return all;
  }
  std::string event(const std::string& name) const {
    std::istringstream lines(read_file(dir / "events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"event\":\"" + name + "\"") != std::string::npos) return line;
    }
    return {};
  }
  std::string console() {
    loop.run();
    return read_file(dir / "console");
  }

  const std::filesystem::path dir = make_temp_dir();
  FakeLoop loop;
  Options options;
  FakeWorkers workers{loop};
  int discarded = 0;
  int cleared = 0;

 private:
  static out::RouterConfig config(const Options& options) {
    out::RouterConfig config;
    config.ranks = options.ranks;
    config.redirect = options.output.redirect;
    config.tee = options.output.tee;
    config.shown = options.output.shown;
    return config;
  }
  os::ScopedFd console_;

 public:
  out::Router router;
  Supervisor supervisor;
};

}  // namespace ddp::test

// What a console or an event holds, with the whole text where it does not.
#define CHECK_HAS(text, part)                                    \
  do {                                                           \
    const std::string whole = (text);                            \
    CHECK_MESSAGE(whole.find(part) != std::string::npos, whole); \
  } while (false)
