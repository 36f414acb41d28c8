#include "launcher/output/console.hpp"

#include "launcher/output/tagger.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace ddp::out {
namespace {

constexpr std::string_view kEraseLine = "\x1b[K";
constexpr std::string_view kEraseBelow = "\x1b[J";
constexpr std::string_view kUp = "\x1b[A";
// A bar that is wider than the terminal is cut at the margin: if it wrapped, each update would
// scroll.
constexpr std::string_view kNoWrap = "\x1b[?7l";
constexpr std::string_view kWrap = "\x1b[?7h";

}  // namespace

struct Console::Timer {
  explicit Timer(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
  bool armed = false;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

Console::Console(asio::io_context& io, int fd, std::string name, std::function<void()> on_drained,
                 std::function<void(Writer)> on_break, std::function<void(std::string)> on_loss)
    : io_(io),
      timer_(std::make_unique<Timer>(io)),
      on_drained_(std::move(on_drained)),
      on_break_(std::move(on_break)),
      name_(std::move(name)),
      sink_(
          io, fd, name_, [this] { make_room(); },
          [this, on_loss = std::move(on_loss)](std::string why) {
            owner_ = nullptr;
            held_notices_.clear();
            resume_parked();
            on_loss(std::move(why) + "; the workers' output is no longer shown there");
          }) {}

Console::~Console() { *timer_->alive = false; }

bool Console::admits(Writer writer) const {
  if (sink_.lost()) return true;
  return sink_.buffer().size() < kHighWater && (owner_ == nullptr || owner_ == writer);
}

void Console::park(std::function<void()> resume) {
  if (parked_.empty()) waiting_since_ = Clock::now();
  parked_.push_back(std::move(resume));
  watch_stall();
}

void Console::resume_parked() {
  // Posted, so that other events are handled between the reads of the streams.
  for (auto& resume : std::exchange(parked_, {})) asio::post(io_, std::move(resume));
}

// Called when the sink has taken bytes that waited.
void Console::make_room() {
  if (sink_.buffer().size() >= kHighWater / 2) return;
  owner_last_ = waiting_since_ = Clock::now();  // no stream stalls while the reader is slow
  resume_parked();                              // a stream that may not read yet parks again
  watch_stall();
  on_drained_();
}

void Console::begin_output() {
  erase();
  bar_.clear();
}

void Console::erase() {
  if (painted_ > 0) sink_.buffer().append(painted_ > 1 ? kEraseBelow : kEraseLine);
  painted_ = 0;
}

void Console::paint() {
  if (painted_ > 0 || owner_ != nullptr || sink_.lost()) return;
  OutBuffer& buffer = sink_.buffer();
  for (const std::string* line : {&bar_, &area_}) {
    if (line->empty()) continue;
    if (painted_++ > 0) buffer.append("\n");
    buffer.append(kEraseLine);
    buffer.append(kNoWrap);
    buffer.append(*line);
    buffer.append(kWrap);
    buffer.append("\r");
  }
  if (painted_ > 1) buffer.append(kUp);
}

void Console::flush() {
  paint();
  sink_.flush();
}

void Console::area(std::string text) {
  if (!sink_.is_terminal() || sink_.lost() || text == area_) return;
  // A reader that does not keep up gets a later one.
  if (sink_.buffer().size() >= kHighWater) return;
  if (painted_ > 0) erase();
  area_ = std::move(text);
  flush();
}

void Console::lines(std::string_view prefix, std::string_view lines) {
  if (lines.empty() || sink_.lost()) return;
  begin_output();
  if (sink_.is_terminal()) return append_visible_lines(sink_.buffer(), prefix, lines);
  append_lines(sink_.buffer(), prefix, lines);
}

void Console::long_line(Writer writer, std::string_view prefix, std::string_view start) {
  if (sink_.lost()) return;
  begin_output();
  owner_ = writer;
  owner_bytes_ = 0;
  owner_rewinds_ = false;
  sink_.buffer().append(prefix);
  long_line_more(start, false);
}

void Console::long_line_more(std::string_view bytes, bool ends) {
  if (owner_ == nullptr) return;  // the sink is lost
  sink_.buffer().append(bytes);
  owner_bytes_ += bytes.size();
  owner_last_ = Clock::now();
  owner_midline_ = !ends;
  owner_rewinds_ = owner_rewinds_ || bytes.find('\r') != std::string_view::npos;
  if (ends) {
    end_long_line();
  } else if (owner_bytes_ > kLongest && !(parked_.empty() && held_notices_.empty())) {
    const Writer broken = owner_;
    end_long_line();
    on_break_(broken);
  }
}

void Console::end_long_line() {
  if (owner_midline_) sink_.buffer().append("\n");
  owner_midline_ = false;
  owner_ = nullptr;
  sink_.buffer().append(std::exchange(held_notices_, {}));
  resume_parked();
}

void Console::release(Writer writer) {
  if (owner_ != writer) return;
  end_long_line();
  flush();
}

void Console::watch_stall() {
  const bool waited_for = !parked_.empty() || !held_notices_.empty();
  if (owner_ == nullptr || !waited_for || timer_->armed || sink_.lost()) return;
  // While the sink is full its reader is slow, not the owner: make_room() restarts the watch.
  if (sink_.buffer().size() >= kHighWater) return;
  timer_->armed = true;
  const auto from = owner_rewinds_ ? waiting_since_ : owner_last_;
  timer_->timer.expires_at(std::max(from + kStall, Clock::now() + std::chrono::milliseconds(1)));
  timer_->timer.async_wait([this, alive = timer_->alive](const boost::system::error_code&) {
    if (*alive) stalled();
  });
}

void Console::stalled() {
  timer_->armed = false;
  if (owner_ == nullptr || sink_.lost()) return;
  const auto from = owner_rewinds_ ? waiting_since_ : owner_last_;
  const bool full = sink_.buffer().size() >= kHighWater;
  if (full || Clock::now() - from < kStall) return watch_stall();
  const Writer broken = owner_;
  on_break_(broken);
  release(broken);
}

void Console::status(Writer writer, int rank, std::string_view prefix, std::string_view text) {
  if (text.empty() || !admits(writer)) return;  // the next state will come
  const auto now = Clock::now();
  const bool held = status_writer_ != nullptr && now - status_last_ < kStatusHold;
  if (held && writer != status_writer_ && rank >= status_rank_) return;
  erase();
  status_writer_ = writer;
  status_rank_ = rank;
  status_last_ = now;
  bar_.assign(prefix);
  bar_.append(text);
  paint();
}

void Console::keep_status(Writer writer) {
  if (status_writer_ != writer) return;
  status_writer_ = nullptr;
  keep_bar();
}

void Console::keep_bar() {
  if (bar_.empty()) return;
  paint();
  sink_.buffer().append("\n");  // below it
  if (painted_ > 1) sink_.buffer().append(kEraseLine);
  painted_ = 0;
  bar_.clear();
}

void Console::notice(std::string_view text) {
  if (sink_.lost()) return;
  if (sink_.buffer().size() + held_notices_.size() + text.size() > kHighWater + kNoticeLimit) {
    // Always bounded, except that an empty sink takes a single text of any length.
    if (!sink_.buffer().empty() || !held_notices_.empty()) return;
  }
  std::string lines(text);
  if (!lines.ends_with('\n')) lines += '\n';
  if (owner_ != nullptr) {
    if (held_notices_.empty() && parked_.empty()) waiting_since_ = Clock::now();
    held_notices_ += lines;
    return watch_stall();
  }
  begin_output();
  sink_.buffer().append(lines);
  flush();
}

void Console::finish(Clock::time_point deadline, std::chrono::milliseconds patience) {
  if (owner_ != nullptr) end_long_line();
  keep_bar();
  erase();
  area_.clear();
  while (!drained()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || !sink_.write_waiting(std::min(left, patience))) return;
  }
}

}  // namespace ddp::out
