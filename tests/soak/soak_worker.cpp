// The soak's worker: exits as requested, or stays with data-loader children until it is killed.
// Linked statically, so that thousands of launches fit into a minute.
//
//   soak_worker end SPEC…     rank r ends as SPEC number r (of as many as there are, then from the
//   first again) says:
//                             e<code> leaves with a code, s<number> kills itself with a signal
//   soak_worker stay CHILDREN makes so many children that leave its session and hold its stdout,
//   writes
//                             "up <generation> <rank> <pid> <child pid>…" and stays

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

int number(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) {
    std::fprintf(stderr, "soak_worker: %s is not set\n", variable);
    std::exit(99);
  }
  return std::atoi(value);
}

[[noreturn]] void stay_indefinitely() {
  while (true) ::pause();
}

int end(int count, char** specs) {
  const char* const spec = specs[number("RANK") % count];
  const int value = std::atoi(spec + 1);
  if (*spec == 'e') return value;
  ::kill(::getpid(), value);
  std::fprintf(stderr, "soak_worker: signal %d did not end it\n", value);
  return 99;
}

// The child's pid as soon as it is out of our session: the way a stubborn daemon goes.
int make_child() {
  int ends[2];
  const pid_t pid = ::pipe(ends) == 0 ? ::fork() : -1;
  if (pid == -1) {
    std::perror("soak_worker: no child");
    std::exit(99);
  }
  if (pid == 0) {
    ::close(ends[0]);
    ::setsid();
    ::close(ends[1]);
    stay_indefinitely();
  }
  ::close(ends[1]);
  char byte = 0;
  [[maybe_unused]] const ssize_t ended = ::read(ends[0], &byte, 1);
  ::close(ends[0]);
  return pid;
}

int stay(int children) {
  std::string line = "up " + std::to_string(number("TORCHELASTIC_RESTART_COUNT")) + " " +
                     std::to_string(number("RANK")) + " " + std::to_string(::getpid());
  for (int i = 0; i < children; ++i) line += " " + std::to_string(make_child());
  line += '\n';
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return 99;
  stay_indefinitely();
}

}  // namespace

int main(int argc, char** argv) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (argc >= 3 && std::strcmp(argv[1], "end") == 0) return end(argc - 2, argv + 2);
  if (argc == 3 && std::strcmp(argv[1], "stay") == 0) return stay(std::atoi(argv[2]));
  std::fprintf(stderr, "usage: soak_worker end SPEC... | soak_worker stay CHILDREN\n");
  return 2;
}
