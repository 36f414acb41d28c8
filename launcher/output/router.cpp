#include "launcher/output/router.hpp"

#include "common/join.hpp"
#include "launcher/output/console.hpp"
#include "launcher/output/route.hpp"
#include "launcher/output/source.hpp"
#include "launcher/output/stream_ends.hpp"
#include "launcher/output/worker_output.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace ddp::out {
namespace {

// How long the state of a progress bar waits before it is shown. In a file or pipe each one is a
// separate line.
constexpr std::chrono::milliseconds kLiveTerminal{200};
constexpr std::chrono::milliseconds kLiveLine{1000};
// In the destructor: how long the reader may take nothing, and how long the rest may take in all.
constexpr std::chrono::milliseconds kLastPatience{1000};
constexpr std::chrono::seconds kLastWait{5};

}  // namespace

class Router::Impl {
 public:
  Impl(asio::io_context& io, RouterConfig config, int stdout_fd, int stderr_fd,
       std::function<void(std::string)> report)
      : io_(io),
        config_(std::move(config)),
        report_(std::move(report)),
        stderr_fd_(stderr_fd),
        context_{io, nullptr, {}, {}, {}, {}, {}},
        workers_(static_cast<std::size_t>(std::max(config_.ranks.nproc, 0))),
        live_timer_(io),
        drain_timer_(io) {
    context_.file_failed = [this](std::string why) { file_failed(std::move(why)); };
    context_.source_ended = [this] { check_drained(); };
    context_.has_live_line = [this] { watch_live(); };
    out_ = make_console(stdout_fd, "stdout");
    err_ = same_sink(stdout_fd, stderr_fd) ? out_ : make_console(stderr_fd, "stderr");
    terminal_ = os::window_size(stdout_fd);
    if (!terminal_) terminal_ = os::window_size(stderr_fd);
  }

  ~Impl() {
    *alive_ = false;
    for (const auto& source : sources_) source->abandon();
    // Gives the reader a bounded time to take the last lines.
    const auto deadline = Clock::now() + kLastWait;
    for (Console* console : {out_.get(), err_.get()}) {
      if (console == nullptr) continue;
      console->finish(deadline, kLastPatience);
      if (out_ == err_) break;
    }
  }

  Result<ChildStreams> open(int generation, int local_rank) {
    WorkerOutput& worker = workers_.at(static_cast<std::size_t>(local_rank));
    if (worker.generation != generation) {
      worker = WorkerOutput{};
      worker.generation = generation;
    }
    auto out = open_stream(worker, generation, local_rank, Stream::out);
    if (!out) return Error{out.error()};
    auto err = open_stream(worker, generation, local_rank, Stream::err);
    if (!err) return Error{err.error()};
    ChildStreams streams;
    streams.out = std::move(*out);
    streams.err = std::move(*err);
    streams.terminal = terminal_behind_prefix(generation, local_rank);
    return streams;
  }

  void end_generation(Clock::time_point deadline, std::function<void()> done) {
    done_ = std::move(done);
    for (const auto& source : sources_) source->hold(false);
    // A reader that let the last deadline pass and has taken nothing since gets no new one.
    if (out_->given_up() || err_->given_up()) deadline = std::min(deadline, Clock::now());
    drain_timer_.expires_at(deadline);
    drain_timer_.async_wait([this, alive = alive_](const boost::system::error_code& cancelled) {
      if (!cancelled && *alive) drain_over();
    });
    asio::post(io_, [this, alive = alive_] {
      if (*alive) check_drained();
    });
  }

  std::vector<std::string> tail(int local_rank, int count) const {
    return workers_.at(static_cast<std::size_t>(local_rank))
        .last_lines(static_cast<std::size_t>(std::max(count, 0)));
  }

  std::optional<Clock::time_point> last_output(int local_rank) const {
    return workers_.at(static_cast<std::size_t>(local_rank)).last_written();
  }

  std::shared_ptr<void> on_line(LineObserver observer) {
    const int id = ++last_observer_;
    observers_.emplace(id, std::move(observer));
    // Lines are split off for observers alone: without one that is left out.
    context_.observer = [this](int rank, Stream stream, std::string_view line) {
      for (const auto& [_, one] : observers_) one(rank, stream, line);
    };
    return {static_cast<void*>(this), [this, id, alive = alive_](void*) {
              if (!*alive) return;
              observers_.erase(id);
              if (observers_.empty()) context_.observer = nullptr;
            }};
  }

  bool reads(int local_rank) const {
    return std::any_of(sources_.begin(), sources_.end(), [local_rank](const auto& source) {
      return source->local_rank() == local_rank && !source->ended();
    });
  }

  bool hold(int local_rank, bool held) {
    bool any = false;
    for (const auto& source : sources_) {
      if (source->local_rank() != local_rank || source->ended()) continue;
      source->hold(held);
      any = true;
    }
    return any;
  }

  void result(std::string_view text) { out_->notice(text); }
  void notice(std::string_view text) { err_->notice(text); }

  void status(std::string text) { err_->area(std::move(text)); }

  std::optional<int> status_columns() const {
    if (!err_->is_terminal() || err_->lost()) return std::nullopt;
    const auto size = os::window_size(stderr_fd_);
    return size ? size->columns : 80;
  }

 private:
  std::shared_ptr<Console> make_console(int fd, const char* name) {
    return std::make_shared<Console>(
        io_, fd, name, [this] { check_drained(); },
        [this](Console::Writer writer) {
          for (const auto& source : sources_) {
            if (source->id() == writer) source->long_line_broken();
          }
        },
        [this](std::string why) {
          if (*alive_) report_(std::move(why));
        });
  }

  // The worker's end of one stream: its file, or a pipe to a source.
  Result<os::ScopedFd> open_stream(WorkerOutput& worker, int generation, int local_rank,
                                   Stream stream) {
    const Route route = route_of(config_, local_rank, stream);
    Source::Where where;
    if (route.console) where.console = stream == Stream::out ? out_.get() : err_.get();
    if (route.file) {
      const std::string name = std::string(name_of(stream)) + ".log";
      auto file = LogFile::open(log_path(config_.log_dir, generation, local_rank, name.c_str()));
      if (file && route.direct) {
        worker.direct_files.push_back(file->path());
        return file->release();
      }
      // Without its file the worker still runs: its lines are read for the tail and, if teed,
      // shown.
      if (file) {
        where.file = {std::move(*file), prefix_of(config_, config_.line_start.file, generation,
                                                  local_rank, stream, false)};
      } else {
        file_failed(file.error());
      }
    }
    const bool colour = stream == Stream::out ? config_.colour_out : config_.colour_err;
    where.start =
        prefix_of(config_, config_.line_start.console, generation, local_rank, stream, colour);
    const int taken = where.console != nullptr ? where.start.columns() : 0;
    auto ends = config_.pty ? open_terminal(window_behind(taken)) : open_pipe();
    if (!ends) {
      return Error{"rank " + to_string(config_.ranks.global(local_rank)) + "'s " + name_of(stream) +
                   ": " + ends.error()};
    }
    where.local_rank = local_rank;
    where.rank = config_.ranks.global(local_rank).value;
    where.stream = stream;
    where.tail = &worker.tail;
    where.last_read = &worker.last_read;
    where.prompts = config_.stdin_rank == local_rank;
    sources_.push_back(std::make_shared<Source>(context_, std::move(ends->ours), std::move(where)));
    sources_.back()->start();
    return std::move(ends->workers);
  }

  // For both streams of a rank: behind the wider of their prefixes.
  std::optional<os::WindowSize> terminal_behind_prefix(int generation, int local_rank) const {
    if (!terminal_ || config_.pty) return std::nullopt;
    std::optional<int> taken;
    for (const Stream stream : {Stream::out, Stream::err}) {
      if (!route_of(config_, local_rank, stream).console) continue;
      const auto start =
          prefix_of(config_, config_.line_start.console, generation, local_rank, stream, false);
      taken = std::max(taken.value_or(0), start.columns());
    }
    if (!taken || *taken >= terminal_->columns) return std::nullopt;
    return window_behind(*taken);
  }

  // The launcher's own terminal without the columns of the prefix.
  os::WindowSize window_behind(int columns) const {
    if (!terminal_) return {};
    return {terminal_->columns - columns, terminal_->rows};
  }

  void file_failed(std::string why) {
    // A full disk fails every file: one report stands for all.
    if (std::exchange(file_failure_reported_, true)) return;
    report_("log file " + why + "; it, and others that fail the same way, are no longer written");
  }

  bool consoles_drained() const { return out_->drained() && err_->drained(); }

  void check_drained() {
    if (!done_) return;
    const bool ended = std::all_of(sources_.begin(), sources_.end(),
                                   [](const auto& source) { return source->ended(); });
    if (ended && consoles_drained()) finish_generation();
  }

  void drain_over() {
    if (!done_) return;
    const auto done = std::exchange(done_, nullptr);  // cleared first: the loop below ends sources
    bool unread = false;
    for (Console* console : {out_.get(), err_.get()}) {
      if (console->drained()) continue;
      unread = true;
      if (!console->given_up())
        report_(console->name() + ": not read any more; what the workers wrote last is dropped");
      console->give_up();
    }
    std::string held;
    for (const auto& source : sources_) {
      if (source->ended() || !source->finish_now() || unread) continue;
      append_item(held,
                  "rank " + std::to_string(source->rank()) + "'s " + name_of(source->stream()));
    }
    if (!held.empty()) {
      report_(held +
              ": still held open by a process of the finished group; what it writes from "
              "here on is dropped");
    }
    done_ = done;
    finish_generation();
  }

  // Posted, so that the callback does not run within a source's turn.
  void finish_generation() {
    drain_timer_.cancel();
    asio::post(io_, [this, alive = alive_, done = std::exchange(done_, nullptr)] {
      if (!*alive) return;
      sources_.clear();
      done();
    });
  }

  void watch_live() {
    if (live_armed_) return;
    live_armed_ = true;
    const bool terminal = out_->is_terminal() || err_->is_terminal();
    live_timer_.expires_after(terminal ? kLiveTerminal : kLiveLine);
    live_timer_.async_wait([this, alive = alive_](const boost::system::error_code& cancelled) {
      if (cancelled || !*alive) return;
      live_armed_ = false;
      bool again = false;
      for (const auto& source : sources_) again = !source->show_live() || again;
      if (again) watch_live();
    });
  }

  asio::io_context& io_;
  RouterConfig config_;
  std::function<void(std::string)> report_;
  int stderr_fd_;
  SourceContext context_;
  std::vector<WorkerOutput> workers_;
  std::shared_ptr<Console> out_;
  std::shared_ptr<Console> err_;            // the same object where both refer to the same file
  std::optional<os::WindowSize> terminal_;  // the launcher's own
  std::vector<std::shared_ptr<Source>> sources_;
  asio::steady_timer live_timer_;
  bool live_armed_ = false;
  asio::steady_timer drain_timer_;
  std::function<void()> done_;
  bool file_failure_reported_ = false;
  std::map<int, LineObserver> observers_;
  int last_observer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for handlers still queued
};

Router::Router(asio::io_context& io, RouterConfig config, int stdout_fd, int stderr_fd,
               std::function<void(std::string)> report)
    : impl_(
          std::make_unique<Impl>(io, std::move(config), stdout_fd, stderr_fd, std::move(report))) {}
Router::~Router() = default;

Result<ChildStreams> Router::open(int generation, int local_rank) {
  return impl_->open(generation, local_rank);
}
void Router::end_generation(Clock::time_point deadline, std::function<void()> done) {
  impl_->end_generation(deadline, std::move(done));
}
std::vector<std::string> Router::tail(int local_rank, int count) const {
  return impl_->tail(local_rank, count);
}
std::optional<Clock::time_point> Router::last_output(int local_rank) const {
  return impl_->last_output(local_rank);
}
std::shared_ptr<void> Router::on_line(LineObserver observer) {
  return impl_->on_line(std::move(observer));
}
bool Router::reads(int local_rank) const { return impl_->reads(local_rank); }
bool Router::hold(int local_rank, bool held) { return impl_->hold(local_rank, held); }
void Router::result(std::string_view text) { impl_->result(text); }
void Router::notice(std::string_view text) { impl_->notice(text); }
void Router::status(std::string text) { impl_->status(std::move(text)); }
std::optional<int> Router::status_columns() const { return impl_->status_columns(); }

}  // namespace ddp::out
