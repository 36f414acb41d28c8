// Room: launcher/status. The status line at the bottom of the terminal.
// Includes: launcher/core, launcher/core/progress, launcher/os, launcher/output. Included by:
// launcher/campaign, launcher/supervisor.
//
// Keeps the status line up to date: drawn anew when something has changed, at most ten times a
// second, and once a second for the clock. Without a terminal, with a dumb one or with --no-status
// it has no timer and does nothing.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/status/status_line.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace ddp {

// Whether the terminal of stderr can show a line that is drawn over: TERM says that it can.
bool can_redraw();

class StatusArea final : public core::Observer {
 public:
  // All borrowed. `progress` takes each event before this does. `in_foreground`: false while
  // the shell uses the terminal.
  struct Deps {
    os::Loop& loop;
    out::Router& router;
    const core::Progress& progress;
    std::function<bool()> in_foreground;
    int max_restarts = 0;
    bool colour = false;
  };
  // `enabled`: what the user wants, and TERM.
  StatusArea(Deps deps, bool enabled);

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  // Before the launcher stops itself (Ctrl-Z): the terminal is the shell's.
  void erase();

 private:
  void changed(core::TimePoint now);
  void draw();

  Deps deps_;
  bool enabled_;
  std::unique_ptr<os::Timer> timer_;
  std::optional<core::TimePoint> due_;    // when the timer comes
  std::optional<core::TimePoint> drawn_;  // none: not yet
  std::uint64_t shown_ = 0;               // version of the progress that is shown
};

}  // namespace ddp
