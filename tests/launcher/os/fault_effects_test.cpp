// Each fault is observed from its process or from /proc, and each has a control: the same
// process does what it was kept from when the fault is not applied, or is undone.
#include "launcher/os/fault_effects.hpp"
#include "launcher/os/port.hpp"
#include "tests/launcher/os/children.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

using namespace ddp;
using fault::Amount;
using fault::Kind;
using fault::Value;
using test::Shell;

struct End {
  int code = -1;
  int signal = 0;
};

End wait_for(const Shell& shell) {
  siginfo_t info{};
  pollfd ended{shell.pidfd.get(), POLLIN, 0};
  REQUIRE(::poll(&ended, 1, 60'000) == 1);
  REQUIRE(::waitid(P_PID, static_cast<id_t>(shell.pid), &info, WEXITED) == 0);
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {-1, info.si_status};
}

// A script that a fault has killed reads nothing any more.
void go(const Shell& shell) {
  std::signal(SIGPIPE, [](int) {});  // a handler, which no child inherits
  const ssize_t written = ::write(shell.in.get(), "\n", 1);
  REQUIRE((written == 1 || errno == EPIPE));
}

// Starts a script that prints "ready" and waits for a line, applies the fault, undoes it if asked
// to, and returns what the script printed then and how it exited.
struct Seen {
  std::string said;
  End end;
};
enum class Then { none, apply, undo };
Seen see(const std::string& script, Kind kind, const Value& value, Then then) {
  Shell shell = test::start_shell("echo ready; read line; " + script);
  REQUIRE(test::read_line(shell.out.get()) == "ready");
  os::FaultEffects effects;
  if (then != Then::none) CHECK(effects.apply(kind, value, shell.pid) == "");
  if (then == Then::undo) effects.undo(kind, shell.pid);
  go(shell);
  Seen seen;
  seen.said = test::read_to_end(shell.out.get());
  seen.end = wait_for(shell);
  return seen;
}

std::string allowed_cores(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("Cpus_allowed_list:")) return line.substr(line.find_last_of('\t') + 1);
  }
  return {};
}

bool can_listen(std::uint16_t port) {
  os::ScopedFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(socket.get(), 1) == 0;
}

}  // namespace

TEST_CASE("kill and signal reach only the process itself") {
  CHECK(see("exit 0", Kind::kill, {}, Then::apply).end.signal == SIGKILL);
  CHECK(see("exit 0", Kind::kill, {}, Then::none).end.code == 0);
  const Value usr1 = std::int64_t{SIGUSR1};
  CHECK(see("exit 0", Kind::signal, usr1, Then::apply).end.signal == SIGUSR1);
  // A child of the victim stays alive: cleaning up after it is what is tested.
  const auto seen = see("exit 0", Kind::kill, {}, Then::apply);
  CHECK(seen.said.empty());
  // By number: a shell gives what runs in the background /dev/null for its standard input.
  Shell shell = test::start_shell(
      "exec 3<&0; (read line <&3; echo alive) & echo ready; exec sleep 60 <&- 3<&-");
  REQUIRE(test::read_line(shell.out.get()) == "ready");
  os::FaultEffects effects;
  CHECK(effects.apply(Kind::kill, {}, shell.pid) == "");
  CHECK(wait_for(shell).signal == SIGKILL);
  shell.in.reset();  // `read` ends, whoever holds it
  CHECK(test::read_to_end(shell.out.get()) == "alive\n");
}

TEST_CASE("no file grows beyond its limit, as on a full disk") {
  const std::string path =
      std::filesystem::temp_directory_path() / ("ddp-fsize-" + std::to_string(::getpid()));
  const std::string script = "trap '' XFSZ; if printf xxxx > " + path +
                             " 2>/dev/null; then echo written; else echo "
                             "refused; fi";
  const Value two = Amount{2, false};
  CHECK(see(script, Kind::file_size, two, Then::apply).said == "refused\n");
  CHECK(see(script, Kind::file_size, two, Then::none).said == "written\n");
  CHECK(see(script, Kind::file_size, two, Then::undo).said == "written\n");
  std::filesystem::remove(path);
}

TEST_CASE("descriptors are limited") {
  const std::string script = "if ( : < /dev/null ); then echo opened; else echo refused; fi";
  const Value no_more = Amount{0, true};
  CHECK(see(script, Kind::open_files, no_more, Then::apply).said.ends_with("refused\n"));
  CHECK(see(script, Kind::open_files, no_more, Then::none).said == "opened\n");
  CHECK(see(script, Kind::open_files, no_more, Then::undo).said == "opened\n");
}

TEST_CASE("a limit that does not lower the original one is refused") {
  Shell shell = test::start_shell("ulimit -Sn 100; echo ready; read line; ulimit -Sn");
  REQUIRE(test::read_line(shell.out.get()) == "ready");
  os::FaultEffects effects;
  const auto limit = [&](std::int64_t number) {
    return effects.apply(Kind::open_files, Amount{number, false}, shell.pid);
  };
  CHECK(limit(500) == "its own limit is 100 already");
  CHECK(limit(100) == "its own limit is 100 already");
  CHECK(limit(50) == "");
  CHECK(limit(99) == "");
  CHECK(limit(100) == "its own limit is 100 already");
  go(shell);
  CHECK(test::read_to_end(shell.out.get()) == "99\n");
  CHECK(wait_for(shell).code == 0);
}

// AddressSanitizer reserves terabytes, and its allocator aborts; the shell has none of it.
TEST_CASE("the address space is limited") {
  const std::string script =
      "x=aaaaaaaa; while [ ${#x} -lt 60000000 ]; do x=$x$x; done; echo grown";
  const Value little = Amount{16 << 20, true};
  const auto seen = see(script, Kind::memory, little, Then::apply);
  CHECK(seen.said.find("grown") == std::string::npos);
  CHECK(seen.end.code != 0);
  CHECK(see(script, Kind::memory, little, Then::none).said == "grown\n");
  CHECK(see(script, Kind::memory, little, Then::undo).said == "grown\n");
}

TEST_CASE("CPU time is limited") {
  const Value one = Amount{1, true};
  CHECK(see("while :; do :; done", Kind::cpu_time, one, Then::apply).end.signal == SIGXCPU);
  CHECK(see("exit 0", Kind::cpu_time, one, Then::undo).end.code == 0);
}

TEST_CASE("a process is pinned to one core and released") {
  Shell shell = test::start_shell("echo ready; read line");
  REQUIRE(test::read_line(shell.out.get()) == "ready");
  const std::string before = allowed_cores(shell.pid);
  const int core = std::stoi(before);  // the first that is allowed
  os::FaultEffects effects;
  CHECK(effects.apply(Kind::pin, std::int64_t{core}, shell.pid) == "");
  CHECK(allowed_cores(shell.pid) == std::to_string(core));
  effects.undo(Kind::pin, shell.pid);
  CHECK(allowed_cores(shell.pid) == before);
  CHECK(effects.apply(Kind::pin, std::int64_t{1023}, shell.pid) ==
        "there is no core 1023 for this process");
  shell.in.reset();
  wait_for(shell);
  effects.forget(shell.pid);
  effects.undo(Kind::pin, shell.pid);
  CHECK(effects.apply(Kind::pin, std::int64_t{core}, shell.pid) == "No such process");
}

TEST_CASE("no fault is applied to pid 1 or a process group") {
  os::FaultEffects effects;
  for (const int pid : {1, 0, -1}) CHECK(effects.apply(Kind::kill, {}, pid) == "no process");
}

TEST_CASE("a worker cannot listen on an occupied port") {
  auto reserved = os::PortReservation::any();
  REQUIRE(reserved);
  CHECK(can_listen(reserved->port()));
  auto occupied = os::occupy_port(reserved->port());
  REQUIRE(occupied);
  CHECK_FALSE(can_listen(reserved->port()));
  occupied->reset();
  CHECK(can_listen(reserved->port()));
}
