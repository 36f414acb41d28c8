#include "launcher/output/source.hpp"

#include <boost/asio/io_context.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace asio = boost::asio;

namespace ddp::out {
namespace {

// A pipe's default capacity: one read empties it.
constexpr std::size_t kReadSize = std::size_t{64} * 1024;
// After the start of an unfinished line. A program that writes a line in pieces usually takes less.
constexpr std::chrono::milliseconds kPromptDelay{100};

}  // namespace

Source::Source(SourceContext& context, os::ScopedFd pipe, Where where)
    : context_(context), where_(std::move(where)), pipe_(context.io) {
  pipe_.assign(pipe.get());
  pipe.release();
}

void Source::watch() {
  waiting_ = true;
  pipe_.async_wait(asio::posix::stream_descriptor::wait_read,
                   [self = shared_from_this()](const boost::system::error_code&) {
                     if (!self->ended_) self->turn();
                   });
}

// Reads once: other streams have their turn before the next read.
void Source::turn() {
  waiting_ = false;
  if (held_) return;  // hold(false) continues
  if (where_.console != nullptr && !where_.console->admits(id())) {
    waiting_ = true;
    where_.console->park([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && !self->ended_) self->turn();
    });
    return;
  }
  const ssize_t n = read_chunk();
  if (n == 0) return end();
  if (n > 0) {
    take({context_.read_buffer.get(), static_cast<std::size_t>(n)});
    if (where_.console != nullptr) where_.console->flush();
  }
  if (!ended_) watch();
}

void Source::hold(bool held) {
  held_ = held;
  if (!held_ && !waiting_ && !ended_) watch();
}

// As read(2), with -1 only for "nothing now". A pipe that cannot be read counts as ended, as does a
// pseudo terminal that no process has open any more (EIO).
ssize_t Source::read_chunk() {
  while (true) {
    if (!context_.read_buffer) {
      context_.read_buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
    }
    const ssize_t n = ::read(pipe_.native_handle(), context_.read_buffer.get(), kReadSize);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? -1 : 0;
  }
}

void Source::take(std::string_view chunk) {
  const auto now = std::chrono::steady_clock::now();
  *where_.last_read = now;
  if (std::string failure = where_.file.write(chunk, now, context_.file_text); !failure.empty())
    context_.file_failed(std::move(failure));
  if (where_.start.timed()) {
    where_.start.refresh(now);
    if (splitter_.held().size() == shown_) held_start_ = where_.start.text();  // a line begins
  }
  const LineSplitter::Pieces pieces = splitter_.feed(chunk);
  if (!pieces.long_more.empty() && where_.console != nullptr) {
    where_.console->long_line_more(pieces.long_more, pieces.long_ends);
  }
  if (shown_ > 0 && !pieces.held_line.empty()) {
    deliver_begun(pieces.held_line);
  } else {
    deliver(pieces.held_line, held_start());
  }
  deliver(pieces.lines, where_.start.text());
  const bool line_began = pieces.long_ends || !pieces.held_line.empty() || !pieces.lines.empty();
  if (line_began && where_.start.timed()) held_start_ = where_.start.text();
  if (!pieces.long_start.empty()) take_long_start(pieces.long_start);
  if (where_.prompts) {
    watch_prompt(line_began);
    if (prompting_) return;
  }
  if (splitter_.held().find('\r') == std::string_view::npos) {
    if (last_segment_.empty() || splitter_.held().empty()) return;
  }
  if (where_.console == nullptr) return;
  if (where_.console->is_terminal()) live_on_terminal(false);
  context_.has_live_line();
}

// The prefix of the line that is held, or that ends now: its time is that of its first byte.
const std::string& Source::held_start() const {
  return where_.start.timed() ? held_start_ : where_.start.text();
}

void Source::take_long_start(std::string_view bytes) {
  const std::string_view start = bytes.substr(0, LineSplitter::kHeldLimit);
  where_.tail->add_line(start);
  if (context_.observer) context_.observer(where_.local_rank, where_.stream, start);
  const std::string_view unseen = bytes.substr(std::exchange(shown_, 0));
  if (where_.console != nullptr) {
    if (prompting_) {
      where_.console->long_line_more(unseen, false);
    } else {
      where_.console->long_line(id(), held_start(), unseen);
    }
  }
  prompting_ = false;
  last_segment_.clear();
}

void Source::record(std::string_view lines) {
  last_segment_.clear();
  where_.tail->add_lines(lines);
  if (!context_.observer) return;
  while (!lines.empty()) {
    const std::size_t newline = lines.find('\n');
    context_.observer(where_.local_rank, where_.stream, lines.substr(0, newline));
    lines.remove_prefix(newline + 1);
  }
}

// Whole lines, each with its newline.
void Source::deliver(std::string_view lines, const std::string& start) {
  if (lines.empty()) return;
  record(lines);
  if (where_.console != nullptr) where_.console->lines(start, lines);
}

// A whole line whose start is already on the console.
void Source::deliver_begun(std::string_view line) {
  record(line);
  const std::string_view unseen = line.substr(std::exchange(shown_, 0));
  if (std::exchange(prompting_, false)) {
    where_.console->long_line_more(unseen, true);
  } else if (unseen != "\n") {  // it got its newline when it was broken
    where_.console->lines(held_start(), unseen);
  }
}

// A line without a newline at the end of the stream.
void Source::deliver_line(std::string_view line) {
  std::string completed(line);
  completed += '\n';
  deliver(completed, held_start());
}

// The splitter's segments without what is already on the console.
std::string Source::take_segments(bool also_last) {
  std::string segments = splitter_.take_segments(also_last);
  const std::size_t seen = std::min(shown_, segments.size());
  shown_ -= seen;
  return segments.substr(seen);
}

void Source::live_on_terminal(bool also_last) {
  const std::string segments = take_segments(also_last);
  const std::string_view shown = visible_segment(segments);
  if (shown.empty()) return;
  last_segment_.assign(shown.substr(0, shown.find('\r')));
  where_.console->status(id(), where_.rank, where_.start.text(), last_segment_);
}

bool Source::show_live() {
  if (ended_ || prompting_ || where_.console == nullptr) return true;
  if (where_.console->is_terminal()) {
    live_on_terminal(true);
    // What came after the last '\r' stays held: it is shown now, and again as a line once it is
    // whole.
    if (!last_segment_.empty()) {
      where_.console->status(id(), where_.rank, where_.start.text(),
                             splitter_.held().substr(shown_));
    }
    where_.console->flush();
    return true;
  }
  if (splitter_.held().find('\r') == std::string_view::npos) return true;
  if (!where_.console->admits(id())) return false;
  const std::string segments = take_segments(true);
  if (!segments.empty()) deliver_line(segments);
  where_.console->flush();
  return true;
}

void Source::long_line_broken() {
  // The line of a prompt is still held for the tail; what follows becomes a new line.
  if (!std::exchange(prompting_, false)) splitter_.break_long_line();
}

// Called after each read: passes on what continues the prompt on the console, or schedules when the
// held line is shown.
void Source::watch_prompt(bool line_began) {
  const std::string_view held = splitter_.held();
  if (line_began) rewound_ = unseen_ = false;
  rewound_ = rewound_ || held.find('\r') != std::string_view::npos;
  if (prompting_) {
    where_.console->long_line_more(held.substr(shown_), false);
    shown_ = held.size();
  } else if (held.size() > shown_ && !rewound_ && where_.console != nullptr) {
    if (!std::exchange(unseen_, true)) unseen_since_ = where_.last_read->value();
    if (!prompt_armed_) wait_prompt();
  } else if (prompt_armed_ && held.empty()) {
    prompt_timer_->cancel();
  }
}

void Source::wait_prompt() {
  prompt_armed_ = true;
  if (!prompt_timer_) prompt_timer_ = std::make_unique<asio::steady_timer>(context_.io);
  prompt_timer_->expires_at(unseen_since_ + kPromptDelay);
  prompt_timer_->async_wait([weak = weak_from_this()](const boost::system::error_code&) {
    // Also when cancelled: another line may have begun since.
    if (const auto self = weak.lock()) self->show_prompt();
  });
}

void Source::show_prompt() {
  prompt_armed_ = false;
  if (ended_ || prompting_ || !unseen_) return;
  if (std::chrono::steady_clock::now() < unseen_since_ + kPromptDelay) return wait_prompt();
  if (!where_.console->admits(id())) {
    prompt_armed_ = true;
    where_.console->park([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->show_prompt();
    });
    return;
  }
  where_.console->long_line(id(), held_start(), splitter_.held().substr(shown_));
  shown_ = splitter_.held().size();
  prompting_ = true;
  unseen_ = false;
  where_.console->flush();
}

bool Source::finish_now() {
  bool open = false;
  for (std::size_t taken = 0; !ended_;) {
    const ssize_t n = read_chunk();
    if (n == 0) break;
    open = n < 0 || taken >= kReadSize;
    if (open) break;
    take({context_.read_buffer.get(), static_cast<std::size_t>(n)});
    taken += static_cast<std::size_t>(n);
  }
  end();
  return open;
}

void Source::abandon() {
  ended_ = true;
  if (prompt_timer_) prompt_timer_->cancel();
  boost::system::error_code ignored;
  pipe_.close(ignored);
}

void Source::end() {
  if (ended_) return;
  if (shown_ > 0) {
    deliver_begun(splitter_.take_held() + '\n');
  } else if (!splitter_.held().empty()) {
    deliver_line(splitter_.take_held());
  } else if (!last_segment_.empty()) {
    where_.tail->add_line(last_segment_);
  }
  if (where_.console != nullptr) {
    where_.console->release(id());
    where_.console->keep_status(id());
    where_.console->flush();
  }
  if (std::string loss = where_.file.close(); !loss.empty()) context_.file_failed(std::move(loss));
  abandon();
  context_.source_ended();
}

}  // namespace ddp::out
