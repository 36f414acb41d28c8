#include "launcher/hangs/ras_answer.hpp"

#include "launcher/hangs/ras_json.hpp"
#include "launcher/hangs/ras_text.hpp"

namespace ddp {

Result<std::vector<core::RasCommunicator>> parse_ras_answer(std::string_view answer) {
  const auto start = answer.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return Error{"an empty answer"};
  return answer[start] == '{' ? parse_ras_json(answer.substr(start)) : parse_ras_text(answer);
}

}  // namespace ddp
