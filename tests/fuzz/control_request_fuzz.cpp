// A request on the control socket: whatever a client writes.
#include "common/utf8.hpp"
#include "launcher/control/protocol.hpp"
#include "tests/fuzz/fuzz.hpp"

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ddp::control;
  const auto text = ddp::fuzz::text_of(data, size);
  const auto request = parse_request(text);
  if (!request) {
    require(!request.error().empty() && request.error().size() < 400, "an error is one short line");
    require(!ddp::has_control(request.error()), "an error has no control character");
    const std::string answer = refused(request.error());
    require(answer.find('\n') == answer.size() - 1, "a refusal is one line");
    return 0;
  }
  require(request->lines >= 0 && request->lines <= kMostLines, "lines are bounded");
  const std::string line = request_line(*request);
  require(line.find('\n') == line.size() - 1, "a request is one line");
  const auto again = parse_request(std::string_view(line).substr(0, line.size() - 1));
  require(again && *again == *request, "a request is read as it was written");
  return 0;
}
