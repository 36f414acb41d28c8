#include "launcher/os/spawn.hpp"

#include "launcher/os/affinity.hpp"
#include "launcher/os/signals.hpp"
#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace {

using namespace ddp;
using namespace ddp::test;

int exit_code_of(int pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

core::SpawnError error_of(const std::string& program) {
  const auto result = spawn_raw(program, {}, 0, 1, 2);
  REQUIRE(std::holds_alternative<core::SpawnError>(result));
  // No zombie is left of a failed launch.
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
  return std::get<core::SpawnError>(result);
}

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a worker leads a new session and its pidfd is valid") {
  auto shell = start_shell("cut -d' ' -f5,6 /proc/$$/stat; read line");
  int group = 0;
  int session = 0;
  REQUIRE(std::sscanf(read_line(shell.out.get()).c_str(), "%d %d", &group, &session) == 2);
  CHECK(group == shell.pid);
  CHECK(session == shell.pid);
  pollfd alive{shell.pidfd.get(), POLLIN, 0};
  CHECK(::poll(&alive, 1, 0) == 0);
  shell.in.reset();
  CHECK(exit_code_of(shell.pid) == 1);  // read met the end of its input
  CHECK(::poll(&alive, 1, 0) == 1);
}

TEST_CASE("a worker gets descriptors 0 to 2 only") {
  // A descriptor without close-on-exec, as a parent might leave us.
  const os::ScopedFd leak(::open("/dev/null", O_RDONLY));
  REQUIRE(::fcntl(leak.get(), F_DUPFD, 100) == 100);
  auto shell = start_shell("ls /proc/self/fd");
  // 3 is the directory that ls reads.
  CHECK(read_to_end(shell.out.get()) == "0\n1\n2\n3\n");
  CHECK(exit_code_of(shell.pid) == 0);
  ::close(100);
}

namespace {

// How many descriptors the table of a process started by `spawner` can hold.
int table_size(os::Spawner& spawner) {
  Pipe out = make_pipe();
  os::SpawnRequest request;
  request.program = "/bin/grep";
  request.arguments = {"FDSize", "/proc/self/status"};
  request.stdin_fd = 0;
  request.stdout_fd = out.write.get();
  request.stderr_fd = 2;
  const auto spawned = spawner.spawn(request);
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  out.write.reset();
  int size = 0;
  REQUIRE(std::sscanf(read_to_end(out.read.get()).c_str(), "FDSize: %d", &size) == 1);
  CHECK(exit_code_of(std::get<os::Child>(spawned).pid) == 0);
  return size;
}

}  // namespace

TEST_CASE("a worker does not get a copy of the launcher's many descriptors") {
  os::Spawner early;
  std::vector<os::ScopedFd> many;
  for (int i = 0; i < 600; ++i) many.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(many.back().valid());
  CHECK(table_size(early) <= 256);
  // The control: one that is made late has its three behind all of them.
  os::Spawner late;
  CHECK(table_size(late) > 600);
}

TEST_CASE("a spawner works without descriptors for its slots") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const os::ScopedFd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit one_more{static_cast<rlim_t>(lowest.get()) + 2, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &one_more) == 0);
  os::Spawner without;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(table_size(without) > 0);
}

namespace {

// What a program started with these CPUs and memory nodes prints about itself.
std::string bound_to(std::vector<int> cpus, std::vector<int> nodes) {
  Pipe out = make_pipe();
  os::SpawnRequest request;
  request.program = "/bin/sh";
  request.arguments = {"-c",
                       "grep Cpus_allowed_list /proc/self/status; "
                       "[ ! -r /proc/self/numa_maps ] || head -n 1 /proc/self/numa_maps"};
  request.environment = {"PATH=/usr/bin:/bin"};
  request.stdin_fd = 0;
  request.stdout_fd = out.write.get();
  request.stderr_fd = 2;
  request.cpus = std::move(cpus);
  request.memory_nodes = std::move(nodes);
  const auto spawned = os::Spawner().spawn(request);
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  out.write.reset();
  const std::string text = read_to_end(out.read.get());
  CHECK(exit_code_of(std::get<os::Child>(spawned).pid) == 0);
  return text;
}

}  // namespace

TEST_CASE("a worker runs on the CPUs it is given, and its memory comes from the nodes") {
  const auto allowed = os::allowed_cpus();
  REQUIRE_FALSE(allowed.empty());
  for (const int cpu : allowed)
    CHECK(bound_to({cpu}, {}).starts_with("Cpus_allowed_list:\t" + std::to_string(cpu) + "\n"));
  CHECK(os::allowed_cpus() == allowed);  // the launcher's own are as before
  if (allowed.size() > 1)                // the control
    CHECK_FALSE(
        bound_to({}, {}).starts_with("Cpus_allowed_list:\t" + std::to_string(allowed[0]) + "\n"));
  if (os::memory_policy_refusal() != 0 || ::access("/proc/self/numa_maps", R_OK) != 0) {
    MESSAGE("no memory policy can be set or seen here");
    return;
  }
  CHECK(bound_to({}, {}).find(" default ") != std::string::npos);
  CHECK(bound_to({}, {0}).find(" prefer") != std::string::npos);
}

TEST_CASE("a worker that cannot be bound is not started") {
  os::SpawnRequest request;
  request.program = "/bin/true";
  request.stdin_fd = 0;
  request.stdout_fd = 1;
  request.stderr_fd = 2;
  request.cpus = {15999};
  const auto spawned = os::Spawner().spawn(request);
  REQUIRE(std::holds_alternative<core::SpawnError>(spawned));
  CHECK(std::get<core::SpawnError>(spawned).stage == core::SpawnStage::setup);
  CHECK(std::get<core::SpawnError>(spawned).error_number == EINVAL);
}

TEST_CASE("a worker whose nodes have no memory runs on its CPUs without a memory policy") {
  if (os::memory_policy_refusal() != 0) {
    MESSAGE("no memory policy can be set here");
    return;
  }
  const int cpu = os::allowed_cpus().front();
  for (const std::vector<int>& nodes : {std::vector<int>{1023}, {1022, 1023}}) {
    const std::string shown = bound_to({cpu}, nodes);
    CHECK(shown.starts_with("Cpus_allowed_list:\t" + std::to_string(cpu) + "\n"));
    CHECK(shown.find(" prefer") == std::string::npos);
  }
}

TEST_CASE("numbers as the kernel's mask") {
  CHECK(os::bit_mask({}).empty());
  CHECK(os::bit_mask({0, 3}) == std::vector<unsigned long>{9});
  CHECK(os::bit_mask({64}) == std::vector<unsigned long>{0, 1});
}

TEST_CASE("a spawn with an invalid descriptor fails") {
  const auto result = spawn_raw("/bin/true", {}, 0, 1, 9999);
  REQUIRE(std::holds_alternative<core::SpawnError>(result));
  CHECK(std::get<core::SpawnError>(result).stage == core::SpawnStage::setup);
  CHECK(std::get<core::SpawnError>(result).error_number == EBADF);
}

TEST_CASE("a worker has default dispositions and an empty mask") {
  os::take_over_signals();
  auto shell = start_shell("grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2");
  for (int i = 0; i < 2; ++i) CHECK(read_line(shell.out.get()) == "0000000000000000");
  CHECK(exit_code_of(shell.pid) == 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

TEST_CASE("the environment is the given one and nothing else") {
  Pipe out = make_pipe();
  auto spawned = spawn_raw("/usr/bin/env", {}, 0, out.write.get(), 2, {"A=1", "B=x y", "EMPTY="});
  out.write.reset();
  CHECK(read_to_end(out.read.get()) == "A=1\nB=x y\nEMPTY=\n");
  CHECK(exit_code_of(std::get<os::Child>(spawned).pid) == 0);
}

TEST_CASE("a program that cannot be started is reported as by execvp") {
  char directory[] = "/tmp/ddp-spawn-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string base = directory;
  const auto file = [&](const char* name, const char* text, mode_t mode) {
    const std::string path = base + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  };
  const std::string plain = file("plain", "#!/bin/sh\n", 0644);
  const std::string no_magic = file("no-magic", "echo hello\n", 0755);
  const std::string no_interpreter = file("no-interpreter", "#!/nowhere/sh\n", 0755);

  CHECK(error_of("/nowhere/program").error_number == ENOENT);
  CHECK(error_of("surely-not-in-path").error_number == ENOENT);
  CHECK(error_of(plain).error_number == EACCES);
  CHECK(error_of(base).error_number == EACCES);  // a directory
  CHECK(error_of(no_magic).error_number == ENOEXEC);
  CHECK(error_of(no_interpreter).error_number == ENOENT);
  CHECK(error_of(plain + "/below").error_number == ENOTDIR);
  CHECK(error_of("").error_number == ENOENT);
  for (const char* name : {"plain", "no-magic", "no-interpreter"})
    ::unlink((base + "/" + name).c_str());
  ::rmdir(directory);
}

TEST_CASE("neither success nor failure leaks a descriptor") {
  const int before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    error_of("/nowhere/program");
    auto shell = start_shell("exit 0");
    exit_code_of(shell.pid);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a process limit is the system's refusal, at the fork") {
  // root is not bound by RLIMIT_NPROC: the child drops root first.
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit none{0, 0};
    if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) ::_exit(3);
    const auto result = spawn_raw("/bin/true", {}, 0, 1, 2);
    const auto* error = std::get_if<core::SpawnError>(&result);
    const bool refused =
        error != nullptr && error->stage == core::SpawnStage::fork && error->error_number == EAGAIN;
    ::_exit(refused ? 0 : 1);
  }
  const int code = exit_code_of(pid);
  if (code == 2) {
    MESSAGE("root cannot become another user here: nothing to test");
    return;
  }
  CHECK(code == 0);
}

TEST_CASE("a worker dies with its parent") {
  Pipe report = make_pipe();
  Pipe life = make_pipe();  // held by the worker alone: it closes when the worker dies
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto spawned = spawn_raw("/bin/sh", {"-c", "echo up; exec sleep 1000"}, 0, report.write.get(),
                             life.write.get());
    if (!std::holds_alternative<os::Child>(spawned)) ::_exit(1);
    while (true) ::pause();
  }
  life.write.reset();
  report.write.reset();
  CHECK(read_line(report.read.get()) == "up");
  CHECK_FALSE(is_hung_up(life.read.get()));  // the control: it lives while its parent does
  ::kill(parent, SIGKILL);
  CHECK(read_to_end(life.read.get()).empty());
  ::waitpid(parent, nullptr, 0);
}
