#include "launcher/hangs/ras_answer.hpp"

#include "launcher/hangs/ras_json.hpp"
#include "launcher/hangs/ras_text.hpp"

namespace ddp {

namespace {

std::string_view without_blanks(std::string_view answer) {
  const auto start = answer.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? std::string_view() : answer.substr(start);
}

}  // namespace

bool is_ras_json(std::string_view answer) { return without_blanks(answer).starts_with('{'); }

Result<std::vector<core::RasCommunicator>> parse_ras_answer(std::string_view answer) {
  if (without_blanks(answer).empty()) return Error{"an empty answer"};
  return is_ras_json(answer) ? parse_ras_json(without_blanks(answer)) : parse_ras_text(answer);
}

}  // namespace ddp
