// What the requests of clients do to the launch.
//
// A request that acts is published first (ControlRequested), so that events.jsonl and the console
// have it before what follows from it.
#pragma once

#include "common/result.hpp"
#include "launcher/control/client.hpp"
#include "launcher/control/description.hpp"
#include "launcher/control/line_feed.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/control/stack_dump.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/faults/controller.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/workers.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ddp::control {

class Controller final : public core::Observer {
 public:
  // All borrowed.
  struct Deps {
    os::Loop& loop;
    const core::Group& group;
    const core::Progress& progress;
    out::Router& router;
    Workers& workers;
    FaultController& faults;
    LaunchDescription launch;
    std::function<void()> stop;  // as SIGTERM to the launcher does
    core::Publish publish;
  };
  explicit Controller(Deps deps);

  // The client is answered now or later, once.
  void serve(const Request& request, const std::shared_ptr<Client>& client);

  void on(const core::Event&, core::TimePoint) override {}
  void on(const core::Action& action, core::TimePoint now) override;

 private:
  using Ranks = std::vector<core::LocalRank>;

  void logs(const Request& request, const Ranks& ranks, const std::shared_ptr<Client>& client);
  void stop(const Request& request, Client& client);
  void restart(const Request& request, Client& client);
  void signal(const Request& request, const Ranks& ranks, int number, Client& client);
  void stacks(const Request& request, const Ranks& ranks, const std::shared_ptr<Client>& client);
  void inject(const Request& request, Client& client);

  // Those of the request on this machine; all where it names none.
  Result<Ranks> chosen(const Request& request) const;
  core::Requester announce(const Request& request, const Client& client, Ranks ranks = {},
                           std::string detail = {});

  Deps deps_;
  LineFeed lines_;
  std::unique_ptr<StackDump> dump_;  // while one is taken
};

}  // namespace ddp::control
