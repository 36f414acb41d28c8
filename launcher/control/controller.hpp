// What the requests of clients do to the launch.
//
// A request that acts is published first (ControlRequested), so that events.jsonl and the console
// have it before what follows from it.
#pragma once

#include "launcher/control/client.hpp"
#include "launcher/control/description.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/os/loop.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ddp::control {

class Controller {
 public:
  // All borrowed.
  struct Deps {
    os::Loop& loop;
    const core::Group& group;
    LaunchDescription launch;
    std::function<void()> stop;  // as SIGTERM to the launcher does
    core::Publish publish;
  };
  explicit Controller(Deps deps) : deps_(std::move(deps)) {}

  // The client is answered now or later, once.
  void serve(const Request& request, const std::shared_ptr<Client>& client);

 private:
  void announce(const Request& request, const Client& client,
                std::vector<core::LocalRank> ranks = {}, std::string detail = {});

  Deps deps_;
};

}  // namespace ddp::control
