// Room: launcher/ddpctl. The program ddpctl: finds running launches and sends them requests.
// Includes: common, launcher/base, launcher/control, launcher/events, launcher/os, launcher/page,
// launcher/trace. Included by: no other.
//
// ddpctl: shows running launches and acts on them, over their control sockets
// (launcher/control/protocol.hpp).

#include "common/utf8.hpp"
#include "common/write_all.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/ddpctl/answer.hpp"
#include "launcher/ddpctl/arguments.hpp"
#include "launcher/ddpctl/link.hpp"
#include "launcher/ddpctl/logs.hpp"
#include "launcher/ddpctl/report_command.hpp"
#include "launcher/ddpctl/runs.hpp"
#include "launcher/ddpctl/show.hpp"
#include "launcher/os/pty.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace ddp;
using namespace ddp::ctl;

constexpr int kDone = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;

// Longer than the launch gives a debugger.
constexpr std::chrono::seconds kAnswerTime{15};

int fail(int code, const std::string& why) {
  write_all(STDERR_FILENO, "ddpctl: " + without_controls(why) + "\n");
  return code;
}

int print(const std::string& text) {
  if (write_all(STDOUT_FILENO, text)) return kDone;
  return fail(kRefused, std::string("cannot write to stdout: ") + std::strerror(errno));
}

int list(const Found& found) {
  for (const auto& socket : found.silent) fail(kRefused, socket + " does not answer");
  if (found.runs.empty()) return kDone;
  const auto size = os::window_size(STDOUT_FILENO);
  return print(list_table(found.runs, size ? std::optional(size->columns) : std::nullopt));
}

// A request on its way, with the first line of its answer.
struct Exchange {
  Link link;
  std::string line;
  Answer answer;
};

// Or the exit code of what has been reported.
std::variant<Exchange, int> ask(const Run& run, const control::Request& request) {
  const auto deadline = Clock::now() + kAnswerTime;
  auto link = Link::open(run.socket, deadline);
  if (!link) return fail(kRefused, "the run ended meanwhile");
  // One that refuses the client may have closed its end already, with an answer.
  link->send(control::request_line(request), deadline);
  auto line = link->line(deadline);
  if (!line)
    return fail(kRefused, link->ended() ? "the run has ended" : "ddp-launch does not answer");
  auto answer = Answer::parse(*line);
  if (!answer) return fail(kRefused, answer.error());
  if (!answer->flag("ok"))
    return fail(kRefused, answer->has("error") ? answer->text("error") : "the request was refused");
  return Exchange{std::move(*link), std::move(*line), std::move(*answer)};
}

// Passes each further line of an answer to `show`, until the last one or, with `follow`, the end of
// the run.
template <class Show>
int each_line(Exchange& exchange, bool follow, Show show) {
  for (;;) {
    const auto line = exchange.link.line(
        follow ? std::nullopt : std::optional<Clock::time_point>(Clock::now() + kAnswerTime));
    if (!line) {
      if (follow && exchange.link.ended()) return kDone;
      return fail(kRefused, "the answer of ddp-launch is incomplete");
    }
    const auto answer = Answer::parse(*line);
    if (!answer) return fail(kRefused, answer.error());
    if (answer->flag("end")) return kDone;
    if (const int code = show(*answer); code != kDone) return code;
  }
}

int act(const Run& run, const control::Request& request) {
  auto asked = ask(run, request);
  if (const int* code = std::get_if<int>(&asked)) return *code;
  if (std::get<Exchange>(asked).answer.flag("waits"))
    return print("the fault is planned; its moment has not come\n");
  return kDone;
}

int status(const Run& run, bool json) {
  auto asked = ask(run, {.command = control::Command::status});
  if (const int* code = std::get_if<int>(&asked)) return *code;
  const auto& exchange = std::get<Exchange>(asked);
  return print(json ? exchange.line + "\n" : status_table(exchange.answer));
}

int record(const Arguments& arguments, const std::string& where) {
  const auto made = make_record(arguments.verb, where, arguments.output);
  return made ? print(*made) : fail(kRefused, made.error());
}

int record_of(const Run& run, const Arguments& arguments) {
  if (run.log_dir.empty())
    return fail(kRefused, "the run " + run.run_id + " has no events.jsonl: it has no --log-dir");
  return record(arguments, run.log_dir);
}

int stacks(const Run& run, const std::vector<int>& ranks) {
  auto asked = ask(run, {.command = control::Command::stacks, .ranks = ranks});
  if (const int* code = std::get_if<int>(&asked)) return *code;
  bool incomplete = false;
  const int code = each_line(std::get<Exchange>(asked), false, [&](const Answer& stack) {
    incomplete |= stack.has("error");
    return print(stack_text(stack));
  });
  return code == kDone && incomplete ? kRefused : code;
}

std::string log_line(int rank, const std::string& text, bool alone) {
  return (alone ? "" : "[" + std::to_string(rank) + "] ") + text + "\n";
}

int logs(const Run& run, const Arguments& arguments) {
  std::vector<int> ranks = arguments.ranks;
  for (int rank = 0; arguments.ranks.empty() && rank < run.nproc; ++rank)
    ranks.push_back(run.first_rank + rank);
  const bool alone = arguments.ranks.size() == 1;
  if (!arguments.follow) {
    // From its files any number of lines; the launch itself keeps the last ones alone.
    std::vector<int> asked;
    std::string text;
    for (const int rank : ranks) {
      const auto lines = file_tail(run, rank, arguments.lines);
      if (!lines) asked.push_back(rank);
      for (const auto& line : lines.value_or(std::vector<std::string>{}))
        text += log_line(rank, line, alone);
    }
    if (const int code = print(text); code != kDone || asked.empty()) return code;
    ranks = std::move(asked);
  }
  auto asked = ask(run, {.command = control::Command::logs,
                         .ranks = ranks,
                         .lines = std::min(arguments.lines, control::kMostLines),
                         .follow = arguments.follow});
  if (const int* code = std::get_if<int>(&asked)) return *code;
  return each_line(std::get<Exchange>(asked), arguments.follow, [&](const Answer& one) {
    const int rank = static_cast<int>(one.number("rank").value_or(0));
    if (const auto lost = one.number("lost")) {
      fail(kDone, std::to_string(*lost) + " lines are lost: this end was too slow");
    } else if (one.flag("unread")) {
      fail(kDone, "rank " + std::to_string(rank) +
                      " writes to its files directly; follow those in " + run.log_dir);
    } else {
      return print(log_line(rank, one.raw_text("line"), alone));
    }
    return kDone;
  });
}

}  // namespace

int main(int argc, char** argv) {
  using control::Command;
  const auto arguments = parse_arguments(argc, argv);
  if (!arguments) return fail(kUsage, arguments.error());
  if (arguments->help) return print(help_text());
  if (arguments->version) return print("ddpctl " DDP_VERSION "\n");
  if (!arguments->path.empty()) return record(*arguments, arguments->path);
  const auto found = find_runs(arguments->dir);
  if (arguments->verb == Verb::list) return list(found);
  const auto chosen = choose_run(found, arguments->run);
  if (const auto* none = std::get_if<NoRun>(&chosen)) return fail(none->exit_code, none->why);
  const auto& run = std::get<Run>(chosen);
  switch (arguments->verb) {
    case Verb::list:
      break;
    case Verb::status:
      return status(run, arguments->json);
    case Verb::logs:
      return logs(run, *arguments);
    case Verb::stop:
      return act(run, {.command = Command::stop});
    case Verb::restart:
      return act(run, {.command = Command::restart});
    case Verb::kill:
      return act(run, {.command = Command::kill, .ranks = arguments->ranks});
    case Verb::signal:
      return act(
          run,
          {.command = Command::signal, .ranks = arguments->ranks, .signal = arguments->signal});
    case Verb::stacks:
      return stacks(run, arguments->ranks);
    case Verb::inject:
      return act(run, {.command = Command::inject, .fault = arguments->fault});
    case Verb::report:
    case Verb::trace:
      return record_of(run, *arguments);
  }
  return kUsage;
}
