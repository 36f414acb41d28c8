// sd_notify datagrams: whatever a worker sends.
#include "common/notify_message.hpp"
#include "tests/fuzz/fuzz.hpp"

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = ddp::fuzz::text_of(data, size);
  const auto message = ddp::parse_notify(text);
  if (message.status) {
    for (const char c : *message.status)
      require(static_cast<unsigned char>(c) >= 0x20, "a status holds no control character");
  }
  if (message.step) require(*message.step >= 0, "a step is not negative");
  if (message.phase)
    require(message.phase->size() <= ddp::kNotifyNameLimit, "a phase's name is short");
  for (const auto& [name, value] : message.metrics) {
    require(!name.empty() && name.size() <= ddp::kNotifyNameLimit, "a metric's name is short");
    (void)value;  // NaN and infinity are what a diverging loss looks like
  }
  if (size > ddp::kNotifyMessageLimit)
    require(!message.ready && !message.status && message.metrics.empty(),
            "too long a datagram says nothing");
  return 0;
}
