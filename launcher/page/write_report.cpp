#include "launcher/base/write_file.hpp"
#include "launcher/history/read.hpp"
#include "launcher/page/page.hpp"

#include <fmt/format.h>

#include <random>

namespace ddp::page {

Result<std::string> report(const std::string& events) {
  const auto history = history::read(events);
  if (!history) return Error{history.error()};
  std::random_device random;
  const auto nonce =
      fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
  return html(*history, nonce);
}

std::string write_report(const std::string& events, const std::string& output) {
  const auto page = report(events);
  return page ? write_whole_file(output, *page) : page.error();
}

}  // namespace ddp::page
