#include "launcher/status/status_area.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace ddp {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::chrono::seconds kTick{1};
// A group that is over this soon needs no status: a line that only flashes disturbs.
constexpr std::chrono::milliseconds kFirst{500};

}  // namespace

bool can_redraw() {
  const char* const term = std::getenv("TERM");
  return term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

StatusArea::StatusArea(Deps deps, bool enabled)
    : deps_(std::move(deps)), enabled_(enabled && deps_.router.status_columns()) {
  if (enabled_) timer_ = deps_.loop.make_timer();
}

void StatusArea::on(const core::Event&, core::TimePoint now) { changed(now); }

void StatusArea::on(const core::Action& action, core::TimePoint now) {
  if (!std::holds_alternative<core::Finish>(action)) return changed(now);
  if (!enabled_) return;
  // Nothing stays of it.
  timer_->cancel();
  enabled_ = false;
  deps_.router.status("");
}

void StatusArea::changed(core::TimePoint now) {
  if (!enabled_ || deps_.progress.version() == shown_) return;
  const auto due = drawn_ ? std::max(now, *drawn_ + kInterval) : deps_.progress.began() + kFirst;
  if (due_ && *due_ <= due) return;
  due_ = due;
  timer_->at(due, [this] { draw(); });
}

void StatusArea::draw() {
  const auto now = deps_.loop.now();
  drawn_ = now;
  shown_ = deps_.progress.version();
  const auto columns = deps_.router.status_columns();
  if (columns && deps_.in_foreground()) {
    deps_.router.status(status_line(deps_.progress, {.now = now,
                                                     .max_restarts = deps_.max_restarts,
                                                     .columns = *columns,
                                                     .colour = deps_.colour}));
  }
  // When the clock's next second begins.
  const auto age = now - deps_.progress.began();
  due_ = now + (kTick - age % kTick);
  timer_->at(*due_, [this] { draw(); });
}

void StatusArea::erase() {
  if (enabled_) deps_.router.status("");
}

}  // namespace ddp
