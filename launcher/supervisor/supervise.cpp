#include "launcher/supervisor/supervise.hpp"

#include "launcher/base/log.hpp"
#include "launcher/control/server.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/metrics/metrics.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/os/notify_socket.hpp"
#include "launcher/os/signal_inbox.hpp"
#include "launcher/output/colour.hpp"
#include "launcher/output/router.hpp"
#include "launcher/peers/peer_check.hpp"
#include "launcher/preload/preloader.hpp"
#include "launcher/rendezvous/run_id.hpp"
#include "launcher/status/status_area.hpp"
#include "launcher/supervisor/supervisor.hpp"
#include "launcher/workers/shared_memory_tracker.hpp"
#include "launcher/workers/worker_set.hpp"

#include <boost/asio/io_context.hpp>

#include <fmt/core.h>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ddp {
namespace {

out::RouterConfig router_config(const Options& options, const std::string& log_dir) {
  out::RouterConfig config;
  config.style = options.output.style;
  config.line_start = options.output.line_start;
  config.run_id = options.rendezvous.run_id;
  config.role = options.workers.role;
  config.colour_out = out::wants_colour(STDOUT_FILENO);
  config.colour_err = out::wants_colour(STDERR_FILENO);
  config.ranks = options.ranks;
  config.redirect = options.output.redirect;
  config.tee = options.output.tee;
  config.shown = options.output.shown;
  config.stdin_rank = options.workers.stdin_rank;
  config.pty = options.output.pty;
  config.log_dir = log_dir;
  return config;
}

void error(const std::string& text) { log::write(log::Level::error, text); }

class Launch {
 public:
  Launch(const Options& options, const os::LaunchResources& place, const os::LogDir& log_dir,
         os::ScopedFd from_keeper, os::ScopedFd signals)
      : options_(options),
        place_(place),
        log_dir_(log_dir),
        router_(io_, router_config(options, log_dir.path), STDOUT_FILENO, STDERR_FILENO,
                [this](const std::string& loss) { supervisor_.reporter().lost(loss); }),
        memory_(options.ranks.nproc, options.workers.clean_shm,
                [this](const core::Event& event) { supervisor_.publish(event); }),
        preloader_(make_preloader()),
        metrics_(make_metrics()),
        workers_(io_, loop_,
                 {.nproc = options.ranks.nproc,
                  .cgroup = place.cgroup ? &*place.cgroup : nullptr,
                  .notify_prefix = notify_prefix(place.run_dir),
                  .stop_scope = options.workers.stop_scope,
                  .before_kill = [this](const auto& processes) { memory_.look(processes); },
                  .forker = preloader_.get()},
                 [this](const core::WorkerExited& exited) { supervisor_.publish(exited); }),
        supervisor_({.loop = loop_,
                     .options = options,
                     .router = router_,
                     .workers = workers_,
                     .run_dir = log_dir.path.empty() ? place.run_dir : log_dir.path,
                     .private_dir = place.run_dir,
                     .observers = observers(),
                     .discard_queued = [this] { discard_queued(); },
                     .clear = [this] { clear(); },
                     .stop = [this] { stop(SIGTERM); },
                     .ask_ras =
                         [this](const std::string& address, core::TimePoint deadline,
                                std::function<void(RasReply)> done) {
                           return std::make_unique<RasQuery>(io_, address, deadline,
                                                             std::move(done));
                         }}),
        status_({.loop = loop_,
                 .router = router_,
                 .progress = supervisor_.progress(),
                 // The keeper is the shell's job.
                 .in_foreground =
                     [] { return os::in_foreground(STDERR_FILENO, ::getpgid(::getppid())); },
                 .max_restarts = options.group.restart.max_restarts,
                 .colour = out::wants_colour(STDERR_FILENO)},
                options.output.status && can_redraw()),
        signals_(io_, std::move(from_keeper), std::move(signals),
                 {.stop = [this](int signal) { stop(signal); },
                  .alone = [this] { supervisor_.publish(core::KeeperGone{}); },
                  .forward = [this](int signal) { workers_.forward(signal, {}); },
                  .child = [this] { workers_.child_changed(); },
                  .suspend = [this] { suspend(); }}),
        control_(io_, loop_,
                 [this](const auto& request, const auto& client) {
                   supervisor_.controller().serve(request, client);
                 }),
        peers_(
            io_,
            {.ranks = options.ranks,
             .addresses = options.rendezvous.addresses,
             .is_name = options.rendezvous.resolved,
             .master_port = options.rendezvous.master_port.value_or(0),
             .run_id = options.rendezvous.run_id_given ? options.rendezvous.run_id : "",
             .launch_id = generate_run_id() + "-" + std::to_string(::getpid())},
            [this](const std::string& what) { supervisor_.publish(core::PeerDisagrees{what}); }) {}

  ~Launch() { log::redirect(nullptr); }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  int run() {
    // Reported at once: where descriptors are few the router may have none for stderr.
    int refused = supervisor_.refused();
    if (refused == 0 && !os::become_subreaper()) refused = errno;
    if (refused != 0) {
      error(std::string("the system refused what a launch needs: ") + std::strerror(refused));
      return core::kSystemRefused;
    }
    // Through the router, which keeps them out of the workers' lines and never waits.
    log::redirect([this](std::string_view line) { router_.notice(line); });
    keep_files();
    if (!open_sockets() || !serve_metrics()) return core::kSystemRefused;
    if (const auto exit_code = preload()) return *exit_code;
    if (!stop_requested_) {
      supervisor_.start();
      peers_.start();
    }
    while (!supervisor_.exit_code()) io_.run_one();
    return *supervisor_.exit_code();
  }

 private:
  std::unique_ptr<Preloader> make_preloader() {
    if (options_.preload.modules.empty()) return nullptr;
    return std::make_unique<Preloader>(
        io_, loop_, options_.preload.modules, options_.workers.command,
        Preloader::Callbacks{
            .output =
                [this](const std::string& line) { router_.notice("ddp-launch: preload: " + line); },
            .lost = [this](const core::PreloadLost& lost) { supervisor_.publish(lost); },
            .child_changed = [this] { workers_.child_changed(); }});
  }

  std::unique_ptr<metrics::Metrics> make_metrics() {
    if (!options_.metrics.any()) return nullptr;
    const auto& restart = options_.group.restart;
    const auto launch = launch_facts(options_);
    return std::make_unique<metrics::Metrics>(
        io_, loop_, options_.metrics,
        metrics::RunFacts{launch.run_id, launch.program, launch.version, launch.ranks},
        metrics::RestartLimit{restart.max_restarts, restart.window},
        metrics::Metrics::Sources{
            .progress = [this]() -> const core::Progress& { return supervisor_.progress(); },
            .record = [this]() -> const core::RunRecord& { return supervisor_.record(); },
            .goodput = [this] { return supervisor_.goodput(); },
            .exit_code = [this] { return supervisor_.reporter().exit_code(); }});
  }

  std::vector<core::Observer*> observers() {
    std::vector<core::Observer*> all{&memory_, &status_};
    if (metrics_) all.push_back(metrics_.get());
    return all;
  }

  // Before anything else is started. An exit code: the launch is refused.
  std::optional<int> preload() {
    if (!preloader_) return std::nullopt;
    const auto began = loop_.now();
    preloader_->start(environ);
    while (!preloader_->settled() && !stop_requested_) io_.run_one();
    if (const auto& refused = preloader_->refused()) {
      error("--preload: " + refused->why);
      preloader_->stop();
      return refused->exit_code;
    }
    if (stop_requested_) return std::nullopt;
    const std::chrono::duration<double> took = loop_.now() - began;
    log::write(log::Level::info, fmt::format("--preload: ready after {:.1f} s, pid {}",
                                             took.count(), preloader_->pid()));
    return std::nullopt;
  }

  void stop(int signal) {
    stop_requested_ = true;
    supervisor_.publish(core::StopRequested{signal});
  }

  void suspend() {
    status_.erase();
    supervisor_.suspend();
  }

  void keep_files() {
    supervisor_.reporter().record_in(log_dir_.path);
    if (options_.output.needs_log_dir) {
      router_.notice("ddp-launch: without --log-dir, this run's files are in " + log_dir_.path);
    } else if (!log_dir_.taken.empty()) {
      router_.notice("ddp-launch: " + log_dir_.taken + " exists: this run's files are in " +
                     log_dir_.path);
    }
  }

  bool open_sockets() {
    for (core::LocalRank rank = 0; rank < options_.ranks.nproc; ++rank) {
      auto socket = os::NotifySocket::open(
          io_, notify_prefix(place_.run_dir) + std::to_string(rank),
          [this, rank](const NotifyMessage& message) { supervisor_.notified(rank, message); });
      if (!socket) {
        error(socket.error());
        return false;
      }
      notify_.push_back(std::move(*socket));
    }
    // A launch without it does all that it was asked to.
    if (const auto refused = control_.open(place_.run_dir); !refused.empty())
      log::write(log::Level::warn, "ddpctl does not find this launch: " + refused);
    return true;
  }

  bool serve_metrics() {
    if (!options_.metrics.endpoint) return true;
    const auto& [address, port, what] = *options_.metrics.endpoint;
    const auto served = metrics_->open();
    if (!served) {
      error(what + ": " + served.error());
      return false;
    }
    const std::string line = "metrics are at http://" + *served + "/metrics";
    if (port == 0) {
      router_.notice("ddp-launch: " + line);  // it is known from nowhere else
    } else {
      log::write(log::Level::info, line);
    }
    return true;
  }

  void discard_queued() {
    for (const auto& socket : notify_) socket->discard_queued();
  }

  // The keeper removes both too; but it may have died.
  void clear() {
    if (preloader_) preloader_->stop();
    if (place_.cgroup) place_.cgroup->remove();
    os::remove_run_dir(place_.run_dir);
  }

  const Options& options_;
  const os::LaunchResources& place_;
  const os::LogDir& log_dir_;
  boost::asio::io_context io_{1};
  os::AsioLoop loop_{io_};
  out::Router router_;
  SharedMemoryTracker memory_;
  std::unique_ptr<Preloader> preloader_;
  std::unique_ptr<metrics::Metrics> metrics_;
  WorkerSet workers_;
  Supervisor supervisor_;
  StatusArea status_;
  os::SignalInbox signals_;
  control::Server control_;
  PeerCheck peers_;
  std::vector<std::unique_ptr<os::NotifySocket>> notify_;
  bool stop_requested_ = false;
};

}  // namespace

int supervise(const Options& options, const os::LaunchResources& place, const os::LogDir& log_dir,
              os::ScopedFd from_keeper, os::ScopedFd signals) {
  return Launch(options, place, log_dir, std::move(from_keeper), std::move(signals)).run();
}

}  // namespace ddp
