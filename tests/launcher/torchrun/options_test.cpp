#include "launcher/torchrun/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using Words = std::vector<std::string>;

TEST_CASE("torchrun's flags without a meaning here are accepted and noted") {
  const FakeMachine machine;
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--monitor-interval", "0.1"},
       "--monitor-interval has no effect: exits are reported by the kernel, not polled for"},
      {{"--start_method=fork"},
       "--start_method has no effect: workers are programs, not Python functions"},
      {{"--event-log-handler", "null"},
       "--event-log-handler has no effect: events are written to events.jsonl under --log-dir"},
      {{"--local_addr", "10.0.0.1"}, "--local_addr has no effect: rank 0 listens at --master-addr"},
      {{"--rdzv-conf", "join_timeout=600,last_call_timeout=30"},
       "--rdzv-conf has no effect: there is no rendezvous to configure"},
      {{"--signals-to-handle", "SIGTERM,SIGINT"},
       "--signals-to-handle has no effect: ddp-launch always handles SIGTERM, SIGINT, SIGHUP and "
       "SIGQUIT"},
  };
  for (const auto& [words, note] : cases) CHECK(machine.good(words).notes == Words{note});
  CHECK(machine.good({"--logs-specs", "default"}).notes.empty());
}

TEST_CASE("a mode that does not exist here is refused by name with the way out") {
  const FakeMachine machine;
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--monitor-interval", "often"},
       "--monitor-interval is 'often': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"},
      {{"--start-method", "thread"},
       "--start-method is 'thread': expected spawn, fork or forkserver"},
      {{"--logs-specs", "mine"},
       "--logs-specs is 'mine': expected default; others are Python plug-ins: use --log-dir, "
       "--redirects and --tee"},
      {{"--rdzv-conf", "join_timeout"},
       "--rdzv-conf is 'join_timeout': expected KEY=VALUE pairs, such as "
       "join_timeout=600,last_call_timeout=30"},
      {{"--signals-to-handle", "SIGTERM,SIGUSR1"},
       "--signals-to-handle is 'SIGTERM,SIGUSR1': expected some of SIGTERM, SIGINT, SIGHUP, "
       "SIGQUIT; SIGUSR1 and SIGUSR2 go to the ranks"},
      {{"--duplicate-stdout-filters", "apple"},
       "--duplicate-stdout-filters is 'apple': expected no filter; use --tee 1 and grep the files "
       "it writes"},
      {{"--duplicate_stderr_filters", "apple"},
       "--duplicate_stderr_filters is 'apple': expected no filter; use --tee 2 and grep the files "
       "it writes"},
      {{"--log-line-prefix-template", "[${rank}]: "},
       "--log-line-prefix-template is '[${rank}]: ': expected no such template; use --prefix, such "
       "as '[{role}{rank}]: '"},
  };
  for (const auto& [words, line] : cases) CHECK(machine.refused(words) == line);
}
