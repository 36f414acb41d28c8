#include "launcher/control/controller.hpp"

#include "common/signal_name.hpp"
#include "common/utf8.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/group/transitions.hpp"
#include "launcher/os/user.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace ddp::control {
namespace {

constexpr const char* kEnd = "{\"end\":true}\n";

std::string stack_lines(const std::vector<RankStack>& stacks, const core::RankGroup& ranks) {
  std::string text = accepted();
  for (const auto& stack : stacks) {
    boost::json::object object;
    object["rank"] = ranks.global(stack.local_rank).value;
    if (stack.pid > 0) object["pid"] = stack.pid;
    object["text"] = as_utf8(stack.text);
    if (!stack.problem.empty()) object["error"] = as_utf8(stack.problem);
    text += boost::json::serialize(object) + "\n";
  }
  return text + kEnd;
}

}  // namespace

Controller::Controller(Deps deps)
    : deps_(std::move(deps)), lines_(deps_.loop, deps_.launch.ranks, deps_.router) {}

void Controller::serve(const Request& request, const std::shared_ptr<Client>& client) {
  const auto ranks = chosen(request);
  if (!ranks) return client->answer(refused(ranks.error()));
  switch (request.command) {
    case Command::info:
      return client->answer(info_line(deps_.launch, deps_.group, deps_.loop.now()));
    case Command::status:
      return client->answer(
          status_line(deps_.launch, deps_.group, deps_.progress, deps_.loop.now()));
    case Command::logs:
      return logs(request, *ranks, client);
    case Command::stop:
      return stop(request, *client);
    case Command::restart:
      return restart(request, *client);
    case Command::kill:
      return signal(request, *ranks, SIGKILL, *client);
    case Command::signal:
      return signal(request, *ranks, request.signal, *client);
    case Command::stacks:
      return stacks(request, *ranks, client);
    case Command::inject:
      return inject(request, *client);
  }
}

void Controller::on(const core::Action& action, core::TimePoint) {
  const bool ends = std::holds_alternative<core::TeardownBegan>(action);
  if (dump_ && (ends || std::holds_alternative<core::TakeEvidence>(action)))
    dump_->cut_short(ends ? "the group was stopped meanwhile" : "the group hangs and is examined");
}

void Controller::logs(const Request& request, const Ranks& ranks,
                      const std::shared_ptr<Client>& client) {
  lines_.forget();
  std::string text = accepted();
  text += lines_.tails(ranks, request.lines);
  if (!request.follow) return client->answer(text + kEnd);
  if (lines_.is_full()) {
    return client->answer(refused("too many clients follow the output: expected " +
                                  std::to_string(kMostFollowers) + " at most"));
  }
  Ranks living = ranks;
  std::erase_if(living, [this](auto rank) { return deps_.workers.living_pid(rank) <= 0; });
  text += lines_.unread(living);
  lines_.follow(client, ranks);
  client->begin(std::move(text));
}

void Controller::stop(const Request& request, Client& client) {
  announce(request, client);
  client.answer(accepted());
  deps_.stop();
}

void Controller::restart(const Request& request, Client& client) {
  if (!deps_.group.may_restart()) {
    return client.answer(refused(std::string("the group is ") + core::name_of(deps_.group.phase()) +
                                 ": expected launching, running or backing off"));
  }
  auto by = announce(request, client);
  client.answer(accepted());
  deps_.publish(core::RestartRequested{std::move(by)});
}

void Controller::signal(const Request& request, const Ranks& ranks, int number, Client& client) {
  Ranks living;
  for (const auto rank : ranks) {
    if (deps_.workers.living_pid(rank) > 0) {
      living.push_back(rank);
    } else if (!request.ranks.empty()) {
      return client.answer(
          refused("rank " + to_string(deps_.launch.ranks.global(rank)) + " is not running"));
    }
  }
  if (living.empty()) return client.answer(refused("no rank is running"));
  const bool is_kill = request.command == Command::kill;
  const auto by = announce(request, client, request.ranks.empty() ? Ranks{} : living,
                           is_kill ? "" : signal_name(number));
  for (const auto rank : living) deps_.publish(core::SignalRequested{rank, {number, by}});
  client.answer(accepted());
  if (number != SIGKILL && number != SIGSTOP && number != SIGCONT)
    return deps_.workers.forward(number, living);
  // No program handles the first two: the rank's first process is killed, and all of a rank stops.
  for (const auto rank : living) {
    if (number == SIGKILL) {
      deps_.workers.signal_process(rank, number);
    } else {
      deps_.workers.signal(rank, number);
    }
  }
}

void Controller::stacks(const Request& request, const Ranks& ranks,
                        const std::shared_ptr<Client>& client) {
  if (dump_) return client->answer(refused("another client is being sent the stacks"));
  if (deps_.group.phase() == core::Phase::examining)
    return client->answer(refused("the group hangs and is being examined"));
  announce(request, *client, request.ranks.empty() ? Ranks{} : ranks);
  dump_ = std::make_unique<StackDump>(
      deps_.loop, deps_.workers, ranks,
      [this, weak = std::weak_ptr(client)](const std::vector<RankStack>& taken) {
        if (const auto waiting = weak.lock())
          waiting->answer(stack_lines(taken, deps_.launch.ranks));
        dump_.reset();
      });
}

void Controller::inject(const Request& request, Client& client) {
  const auto spec = fault::parse(request.fault, deps_.launch.ranks.world_size());
  if (!spec) return client.answer(refused(spec.error()));
  const auto side = fault::info(spec->kind).side;
  if (side == fault::Side::worker || side == fault::Side::at_spawn ||
      side == fault::Side::at_begin) {
    return client.answer(
        refused(std::string(fault::info(spec->kind).name) +
                ": expected a fault that the launcher injects into a running rank; see --inject"));
  }
  if (!deps_.group.may_restart()) return client.answer(refused("the group is not up"));
  announce(request, client, {}, fault::format(*spec));
  // It leaves no time for an answer.
  if (spec->kind == fault::Kind::kill_supervisor) client.answer(accepted());
  switch (deps_.faults.add(*spec)) {
    case FaultController::Added::injected:
      return client.answer(accepted());
    case FaultController::Added::waits:
      return client.answer("{\"ok\":true,\"waits\":true}\n");
    case FaultController::Added::refused:
      return client.answer(refused("the system refused the fault; the launch says why"));
    case FaultController::Added::elsewhere:
      return client.answer(refused("its ranks run on another machine"));
  }
}

Result<Controller::Ranks> Controller::chosen(const Request& request) const {
  const auto& group = deps_.launch.ranks;
  Ranks ranks;
  for (const int rank : request.ranks) {
    const auto local = group.local({rank});
    if (!local) {
      return Error{"rank " + std::to_string(rank) + ": expected a rank from " +
                   to_string(group.global(0)) + " to " + to_string(group.global(group.nproc - 1))};
    }
    if (std::find(ranks.begin(), ranks.end(), *local) == ranks.end()) ranks.push_back(*local);
  }
  for (core::LocalRank rank = 0; request.ranks.empty() && rank < group.nproc; ++rank)
    ranks.push_back(rank);
  return ranks;
}

core::Requester Controller::announce(const Request& request, const Client& client, Ranks ranks,
                                     std::string detail) {
  core::Requester by = client.requester();
  by.user = os::user_name(by.uid);
  deps_.publish(core::ControlRequested{std::string(name_of(request.command)), by, std::move(ranks),
                                       std::move(detail)});
  return by;
}

}  // namespace ddp::control
