#include "launcher/rendezvous/run_id.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <ctime>

namespace ddp {

bool is_run_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c) != 0) || c == '.' || c == '_' || c == '-';
         });
}

std::string generate_run_id() {
  // No vowels and no look-alikes: no words, nothing to misread.
  constexpr std::string_view kLetters = "23456789bcdfghjkmnpqrstvwxyzBCDF";
  static_assert(kLetters.size() == 32);

  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y%m%d-%H%M%S-", &utc);
  std::string id(text, length);

  std::uint32_t chance = 0;
  // An early boot's empty pool must not hold a launch up; the clock's low bits will do there.
  if (::getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
    chance = static_cast<std::uint32_t>(now.tv_nsec);
  for (int i = 0; i < 4; ++i, chance >>= 5) id += kLetters[chance & 31U];
  return id;
}

}  // namespace ddp
