#include "launcher/campaign/printer.hpp"

#include "launcher/base/log.hpp"
#include "launcher/os/pty.hpp"
#include "launcher/status/status_area.hpp"

#include <unistd.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace ddp::campaign {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr auto kLastWait = std::chrono::seconds(5);

void error(const std::string& what) { log::write(log::Level::error, what); }

}  // namespace

Printer::Printer(boost::asio::io_context& io)
    : sink_(
          io, STDOUT_FILENO, "stdout", [] {},
          [](const std::string& loss) {
            error(loss + "; the campaign continues, but its table is no longer shown there");
          }) {}

void Printer::print(const std::string& text) {
  if (!status_.empty()) sink_.buffer().append(kEraseLine);
  sink_.buffer().append(text);
  sink_.buffer().append(status_);
  sink_.flush();
}

std::optional<int> Printer::status_columns() const {
  if (!sink_.is_terminal() || sink_.lost() || !can_redraw()) return std::nullopt;
  const auto size = os::window_size(STDOUT_FILENO);
  return size ? size->columns : 80;
}

void Printer::status(std::string text) {
  // This process is a child of the one that the shell knows.
  if (!text.empty() && !os::in_foreground(STDOUT_FILENO, ::getpgid(::getppid()))) text.clear();
  if (text == status_) return;
  if (!status_.empty()) sink_.buffer().append(kEraseLine);
  status_ = std::move(text);
  sink_.buffer().append(status_);
  sink_.flush();
}

bool Printer::finish() {
  const auto deadline = Clock::now() + kLastWait;
  while (!sink_.lost() && !sink_.buffer().empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || !sink_.write_waiting(left)) break;
  }
  if (sink_.lost()) return false;
  if (sink_.buffer().empty()) return true;
  error("stdout: not read any more; the rest of the campaign's table is dropped");
  return false;
}

}  // namespace ddp::campaign
