// Room: launcher/preload. One Python that imports modules once and forks every rank.
// Includes: common, launcher/core, launcher/os, launcher/report, launcher/settings,
// launcher/workers. Included by: launcher/cli, launcher/supervisor.
//
// The preloader: a Python that is started before the first attempt and kept across restarts.
//
// It is a child of the supervisor, as workers are: its own session, a parent-death signal, watched
// by its pidfd. It is in none of the workers' cgroups, which are killed with their attempt, and
// os::set_apart keeps the sweep of an attempt from it. It ends with the launch: stop() kills it,
// and whatever kills the supervisor kills it too.
//
//   starting  it imports. Nothing else is started; a stop request ends the launch
//   ready     fork() starts ranks through it (fork_channel.hpp)
//   refused   a module is missing, or cannot be forked with: the launch ends
//   lost      it died, or did not answer in time and was killed: ranks start the ordinary way
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/workers/forker.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace ddp {

class Preloader final : public Forker {
 public:
  struct Refused {
    int exit_code = 0;
    std::string why;
  };
  struct Callbacks {
    std::function<void(const std::string& line)> output;  // a line that the imports printed
    std::function<void(const core::PreloadLost&)> lost;
    std::function<void()> child_changed;  // it was reaped
  };

  // `io` and `loop`, which runs on it, are borrowed. `command` is the ranks' program.
  Preloader(boost::asio::io_context& io, os::Loop& loop, std::vector<std::string> modules,
            std::vector<std::string> command, Callbacks callbacks);
  ~Preloader() override;

  // Once, when this process is a subreaper. `parent` is the launcher's environment.
  void start(const char* const* parent);
  // Whether it is ready or refused; before that, run the loop.
  bool settled() const;
  const std::optional<Refused>& refused() const;
  // Kills it. It is reaped by whoever reaps this process's children.
  void stop();

  std::optional<std::variant<os::Child, core::SpawnError>> fork(
      const os::SpawnRequest& request) override;
  int pid() const override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp
