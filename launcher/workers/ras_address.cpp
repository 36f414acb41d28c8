#include "launcher/workers/ras_address.hpp"

#include "common/env_names.hpp"
#include "launcher/workers/nccl_variables.hpp"

#include <utility>

namespace ddp {

RasAddress::RasAddress(const char* const* parent) {
  if (!needs_ras_address(parent)) {
    if (const char* const given = look_up(parent, env::kNcclRasAddress)) text_ = given;
    return;
  }
  auto reserved = os::PortReservation::any();
  if (!reserved) return;  // the workers' own port is missing too, which is reported
  text_ = ras_address_text(std::to_string(reserved->port()));
  port_ = std::move(*reserved);
}

std::string ras_address_text(const std::string& port) { return "127.0.0.1:" + port; }

}  // namespace ddp
