#include "launcher/campaign/printer.hpp"

#include "launcher/base/log.hpp"

#include <unistd.h>

#include <chrono>

namespace ddp::campaign {
namespace {

using Clock = std::chrono::steady_clock;

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
  sink_.buffer().append(text);
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
