// Takes part in the one stream of events, and of the actions that the group asks for.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/types.hpp"

#include <functional>

namespace ddp::core {

class Observer {
 public:
  virtual ~Observer() = default;
  // It may publish in turn: then every observer has seen that event before this one is passed on.
  virtual void on(const Event& event, TimePoint now) = 0;
  // The action has been carried out, so that a signal is sent before a line about it is written.
  virtual void on(const Action& action, TimePoint now) = 0;
};

using Publish = std::function<void(const Event&)>;

// Calls `target.apply(one, now)` for what an event or action holds, if `target` has such an
// overload: an observer names what concerns it, and nothing else.
template <class Target, class... Alternatives>
void dispatch(Target& target, const std::variant<Alternatives...>& what, TimePoint now) {
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { target.apply(one, now); }) target.apply(one, now);
      },
      what);
}

}  // namespace ddp::core
