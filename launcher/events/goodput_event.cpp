#include "launcher/events/goodput_event.hpp"

#include <cstdint>

namespace ddp {

void add_goodput(std::vector<EventLog::Field>& fields, const core::Goodput& goodput) {
  fields.push_back({"goodput", goodput.ratio()});
  fields.push_back({"total_ns", std::int64_t{goodput.total.count()}});
  for (const auto& part : core::kGoodputParts)
    fields.push_back({part.name, std::int64_t{(goodput.*part.time).count()}});
}

}  // namespace ddp
