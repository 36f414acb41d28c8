// Room: launcher/ddpctl. The program ddpctl: finds running launches and sends them requests.
// Includes: common, launcher/base, launcher/control, launcher/os. Included by: no other.
//
// ddpctl: shows running launches and acts on them, over their control sockets
// (launcher/control/protocol.hpp).

#include "common/write_all.hpp"
#include "launcher/control/protocol.hpp"
#include "launcher/ddpctl/arguments.hpp"
#include "launcher/ddpctl/link.hpp"
#include "launcher/ddpctl/runs.hpp"
#include "launcher/ddpctl/show.hpp"
#include "launcher/os/pty.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>

namespace {

using namespace ddp;
using namespace ddp::ctl;

constexpr int kDone = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;

constexpr std::chrono::seconds kAnswerTime{10};

int fail(int code, const std::string& why) {
  write_all(STDERR_FILENO, "ddpctl: " + why + "\n");
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

// The first line of an answer, as what it says.
int judge(const std::string& answer) {
  boost::json::error_code failed;
  const auto value = boost::json::parse(answer, failed);
  const auto* object = failed ? nullptr : value.if_object();
  const auto* ok = object != nullptr ? object->if_contains("ok") : nullptr;
  if (ok == nullptr || !ok->is_bool())
    return fail(kRefused, "the answer of ddp-launch is no answer");
  if (ok->get_bool()) return kDone;
  const auto* error = object->if_contains("error");
  const auto* text = error != nullptr ? error->if_string() : nullptr;
  return fail(kRefused, text != nullptr ? std::string(text->data(), text->size()) : "refused");
}

int request(const Run& run, const control::Request& request) {
  const auto deadline = Clock::now() + kAnswerTime;
  auto link = Link::open(run.socket, deadline);
  if (!link) return fail(kRefused, "the run ended meanwhile");
  // One that refuses the client may have closed its end already, with an answer.
  link->send(control::request_line(request), deadline);
  const auto answer = link->line(deadline);
  if (!answer)
    return fail(kRefused, link->ended() ? "the run has ended" : "ddp-launch does not answer");
  return judge(*answer);
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse_arguments(argc, argv);
  if (!arguments) return fail(kUsage, arguments.error());
  if (arguments->help) return print(help_text());
  if (arguments->version) return print("ddpctl " DDP_VERSION "\n");
  const auto found = find_runs(arguments->dir);
  if (arguments->verb == Verb::list) return list(found);
  const auto chosen = choose_run(found, arguments->run);
  if (const auto* none = std::get_if<NoRun>(&chosen)) return fail(none->exit_code, none->why);
  const auto& run = std::get<Run>(chosen);
  switch (arguments->verb) {
    case Verb::list:
      break;
    case Verb::stop:
      return request(run, {.command = control::Command::stop});
  }
  return kUsage;
}
