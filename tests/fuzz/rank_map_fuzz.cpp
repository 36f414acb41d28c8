// -r and -t, --local-ranks-filter: first byte, how many ranks there are; the rest, the value.
#include "launcher/output/rank_map.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = ddp::fuzz::text_of(data, size);
  const int nproc = ddp::fuzz::take_count(text);
  const ddp::Setting setting{"--tee", std::string(text)};
  if (const auto map = ddp::parse_stream_map(setting, nproc)) {
    require(map->size() == static_cast<std::size_t>(nproc),
            "a stream map has an entry for each rank");
  } else {
    ddp::fuzz::require_one_line(map.error(), text);
  }
  if (const auto list = ddp::parse_rank_list(setting, nproc)) {
    require(list->size() == static_cast<std::size_t>(nproc),
            "a rank list has an entry for each rank");
    require(std::count(list->begin(), list->end(), true) > 0, "a rank list names a rank");
  } else {
    ddp::fuzz::require_one_line(list.error(), text);
  }
  return 0;
}
