#include "launcher/output/source.hpp"

#include <boost/asio/io_context.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace asio = boost::asio;

namespace ddp::out {
namespace {

// A pipe's default capacity: one read empties it.
constexpr std::size_t kReadSize = std::size_t{64} * 1024;

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

// One read: others have their turn before the next.
void Source::turn() {
  waiting_ = false;
  if (held_) return;  // hold(false) goes on
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

// As read(2), with -1 only for "nothing now": a pipe that cannot be read is at its end, and so is a
// pseudo terminal (EIO) that nobody has open any more.
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
  *where_.last_output = std::chrono::steady_clock::now();
  if (where_.file.is_open()) {
    std::string failure = where_.file.write(chunk);
    if (!failure.empty()) context_.file_failed(std::move(failure));
  }
  const LineSplitter::Pieces pieces = splitter_.feed(chunk);
  if (!pieces.long_more.empty() && where_.console != nullptr) {
    where_.console->long_line_more(pieces.long_more, pieces.long_ends);
  }
  deliver(pieces.held_line);
  deliver(pieces.lines);
  if (!pieces.long_start.empty()) {
    const std::string_view start = pieces.long_start.substr(0, LineSplitter::kHeldLimit);
    where_.tail->add_line(start);
    if (context_.observer) context_.observer(where_.local_rank, where_.stream, start);
    if (where_.console != nullptr) {
      where_.console->long_line(id(), where_.prefix, pieces.long_start);
    }
    last_segment_.clear();
  }
  if (splitter_.held().find('\r') == std::string_view::npos) {
    if (last_segment_.empty() || splitter_.held().empty()) return;
  }
  if (where_.console == nullptr) return;
  if (where_.console->is_terminal()) live_on_terminal(false);
  context_.has_live_line();
}

// Whole lines, each with its newline.
void Source::deliver(std::string_view lines) {
  if (lines.empty()) return;
  last_segment_.clear();
  where_.tail->add_lines(lines);
  if (context_.observer) {
    for (std::string_view left = lines; !left.empty();) {
      const std::size_t newline = left.find('\n');
      context_.observer(where_.local_rank, where_.stream, left.substr(0, newline));
      left.remove_prefix(newline + 1);
    }
  }
  if (where_.console != nullptr) where_.console->lines(where_.prefix, lines);
}

// A line that never got its newline.
void Source::deliver_line(std::string_view line) {
  std::string completed(line);
  completed += '\n';
  deliver(completed);
}

void Source::live_on_terminal(bool also_last) {
  const std::string segments = splitter_.take_segments(also_last);
  const std::string_view shown = visible_segment(segments);
  if (shown.empty()) return;
  last_segment_.assign(shown.substr(0, shown.find('\r')));
  where_.console->status(id(), where_.rank, where_.prefix, last_segment_);
}

bool Source::show_live() {
  if (ended_ || where_.console == nullptr) return true;
  if (where_.console->is_terminal()) {
    live_on_terminal(true);
    // What came after the last '\r' stays held: it is shown now, and as a line when that is whole.
    if (!last_segment_.empty()) {
      where_.console->status(id(), where_.rank, where_.prefix, splitter_.held());
    }
    where_.console->flush();
    return true;
  }
  if (splitter_.held().find('\r') == std::string_view::npos) return true;
  if (!where_.console->admits(id())) return false;
  deliver_line(splitter_.take_segments(true));
  where_.console->flush();
  return true;
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
  boost::system::error_code ignored;
  pipe_.close(ignored);
}

void Source::end() {
  if (ended_) return;
  if (!splitter_.held().empty()) {
    deliver_line(splitter_.take_held());
  } else if (!last_segment_.empty()) {
    where_.tail->add_line(last_segment_);
  }
  if (where_.console != nullptr) {
    where_.console->release(id());
    where_.console->keep_status(id());
    where_.console->flush();
  }
  std::string loss = where_.file.loss();
  if (!loss.empty()) context_.file_failed(std::move(loss));
  where_.file = LogFile();
  abandon();
  context_.source_ended();
}

}  // namespace ddp::out
