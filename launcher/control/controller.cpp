#include "launcher/control/controller.hpp"

#include "launcher/core/event.hpp"
#include "launcher/os/user.hpp"

#include <utility>

namespace ddp::control {

void Controller::serve(const Request& request, const std::shared_ptr<Client>& client) {
  switch (request.command) {
    case Command::info:
      return client->answer(info_line(deps_.launch, deps_.group, deps_.loop.now()));
    case Command::stop:
      announce(request, *client);
      client->answer(accepted());
      return deps_.stop();
  }
}

void Controller::announce(const Request& request, const Client& client,
                          std::vector<core::LocalRank> ranks, std::string detail) {
  core::Requester by = client.requester();
  by.user = os::user_name(by.uid);
  deps_.publish(core::ControlRequested{std::string(name_of(request.command)), std::move(by),
                                       std::move(ranks), std::move(detail)});
}

}  // namespace ddp::control
