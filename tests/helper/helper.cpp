#include "tests/helper/helper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>
#include <map>

namespace ddp::helper {
namespace {

using Step = std::function<void(Words&, std::string_view)>;

void raise_default(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  sigprocmask(SIG_UNBLOCK, &mask, nullptr);
  kill(getpid(), signal);
  die("outlived signal " + std::to_string(signal));
}

void change_mask(int how, int signal) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  if (sigprocmask(how, &mask, nullptr) != 0) die_errno("sigprocmask");
}

void append(const std::string& path, const std::string& line) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) die_errno(path);
  if (!line.empty()) write_all(fd, line);
  close(fd);
}

void execute(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  die_errno("exec " + program);
}

void wait_children() {
  ready();
  while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

[[noreturn]] void spin() {
  ready();
  while (true) asm volatile("");
}

void no_core() {
  // Too small for a file. With a limit of 0 a program that core_pattern pipes to would run; with
  // this limit it does not.
  const rlimit one{1, 1};
  if (setrlimit(RLIMIT_CORE, &one) == 0) return;
  const rlimit none{0, 0};  // only this is allowed here
  if (setrlimit(RLIMIT_CORE, &none) != 0) die_errno("RLIMIT_CORE");
}

long now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void print_directory() {
  char path[4096];
  if (getcwd(path, sizeof path) == nullptr) die_errno("getcwd");
  write_all(1, std::string(path) + "\n");
}

const std::map<std::string_view, Step>& steps() {
  static const std::map<std::string_view, Step> table{
      // Output
      {"print", [](Words& w, auto s) { write_all(1, expand(w.next(s)) + "\n"); }},
      {"eprint", [](Words& w, auto s) { write_all(2, expand(w.next(s)) + "\n"); }},
      {"stdio", [](Words& w, auto s) { std::printf("%s\n", expand(w.next(s)).c_str()); }},
      {"tty", [](Words&, auto) { print_terminals(); }},
      {"raw", [](Words& w, auto s) { write_all(1, unescape(expand(w.next(s)))); }},
      {"write-lines", [](Words& w, auto s) { write_lines(1, w.number(s)); }},
      {"ewrite-lines", [](Words& w, auto s) { write_lines(2, w.number(s)); }},
      {"big-line",
       [](Words& w, auto s) {
         write_all(1, std::string(static_cast<std::size_t>(w.number(s)), 'x') + "\n");
       }},
      {"env",
       [](Words& w, auto s) {
         const auto name = w.next(s);
         const char* const value = getenv(name.c_str());
         write_all(1, value != nullptr ? name + "=" + value + "\n" : name + " unset\n");
       }},
      {"env-all", [](Words&, auto) { print_environment(); }},
      {"fds", [](Words&, auto) { print_descriptors(); }},
      {"signals", [](Words&, auto) { print_signals(); }},
      {"cwd", [](Words&, auto) { print_directory(); }},
      {"stdin", [](Words&, auto) { copy_stdin(true); }},
      // Exit
      {"exit", [](Words& w, auto s) { _exit(static_cast<int>(w.number(s))); }},
      {"signal", [](Words& w, auto s) { raise_default(w.signal(s)); }},
      {"abort", [](Words&, auto) { abort(); }},
      {"segv", [](Words&, auto) { *static_cast<volatile int*>(nullptr) = 1; }},
      // Waiting
      {"pause", [](Words&, auto) { pause_indefinitely(); }},
      {"spin", [](Words&, auto) { spin(); }},
      {"wait-file", [](Words& w, auto s) { wait_for_files({expand(w.next(s))}); }},
      {"wait-stdin-eof", [](Words&, auto) { copy_stdin(false); }},
      {"wait-children", [](Words&, auto) { wait_children(); }},
      {"barrier", [](Words& w, auto s) { barrier(expand(w.next(s))); }},
      // Signals
      {"ignore", [](Words& w, auto s) { signal(w.signal(s), SIG_IGN); }},
      {"block", [](Words& w, auto s) { change_mask(SIG_BLOCK, w.signal(s)); }},
      {"on-signal",
       [](Words& w, auto s) {
         const int signal = w.signal(s);
         on_signal(signal, w.list(s));
       }},
      {"stop", [](Words&, auto) { kill(getpid(), SIGSTOP); }},
      {"kill",
       [](Words& w, auto s) {
         const int pid = atoi(expand(w.next(s)).c_str());
         if (pid <= 1) die("kill: refused for pid " + std::to_string(pid));
         if (kill(pid, w.signal(s)) != 0) die_errno("kill");
       }},
      // Processes
      {"fork", [](Words& w, auto s) { fork_child(w.list(s)); }},
      {"ready", [](Words&, auto) { ready(); }},
      {"setsid",
       [](Words&, auto) {
         if (setsid() < 0) die_errno("setsid");
       }},
      {"setpgid",
       [](Words&, auto) {
         if (setpgid(0, 0) != 0) die_errno("setpgid");
       }},
      {"exec",
       [](Words& w, auto s) {
         const auto program = w.next(s);
         execute(program, w.list(s));
       }},
      // Files
      {"touch", [](Words& w, auto s) { append(expand(w.next(s)), ""); }},
      {"remove",
       [](Words& w, auto s) {
         if (unlink(expand(w.next(s)).c_str()) != 0) die_errno("remove");
       }},
      {"append",
       [](Words& w, auto s) {
         const auto path = expand(w.next(s));
         append(path, expand(w.next(s)) + "\n");
       }},
      {"close", [](Words& w, auto s) { close(static_cast<int>(w.number(s))); }},
      // System
      {"notify", [](Words& w, auto s) { notify(unescape(expand(w.next(s)))); }},
      {"sync", [](Words&, auto) { sync(); }},
      {"step", [](Words& w, auto s) { step(w.number(s)); }},
      {"steps",
       [](Words& w, auto s) {
         const long first = w.number(s);
         const long last = w.number(s);
         for (long number = first; number <= last; ++number) step(number);
       }},
      {"listen-master", [](Words&, auto) { listen_master(true); }},
      {"listen-master-plain", [](Words&, auto) { listen_master(false); }},
      {"no-core", [](Words&, auto) { no_core(); }},
      {"set-ids", [](Words& w, auto s) { set_ids(static_cast<unsigned>(w.number(s))); }},
      // Hostile
      {"flood", [](Words&, auto) { flood(1); }},
      {"eflood", [](Words&, auto) { flood(2); }},
      {"flood-notify", [](Words& w, auto s) { flood_notifications(w.number(s)); }},
      {"flee", [](Words&, auto) { flee(); }},
      {"notify-as",
       [](Words& w, auto s) {
         const auto user = static_cast<unsigned>(w.number(s));
         notify_as(user, unescape(expand(w.next(s))));
       }},
      // Choices
      {"on-rank",
       [](Words& w, auto s) {
         const bool chosen = holds(w.next(s), environment("RANK"));
         const auto list = w.list(s);
         if (chosen) run(list);
       }},
      {"on-generation",
       [](Words& w, auto s) {
         const bool chosen = holds(w.next(s), environment("TORCHELASTIC_RESTART_COUNT"));
         const auto list = w.list(s);
         if (chosen) run(list);
       }},
      {"repeat",
       [](Words& w, auto s) {
         const long count = w.number(s);
         const auto list = w.list(s);
         for (long i = 0; i < count; ++i) run(list);
       }},
      // Time
      {"tick",
       [](Words& w, auto s) {
         const long count = w.number(s);
         const long ms = w.number(s);
         const auto list = w.list(s);
         for (long i = 0; i < count; ++i) {
           setenv("TICK", std::to_string(i).c_str(), 1);
           setenv("NOW", std::to_string(now_ms()).c_str(), 1);
           run(list);
           poll(nullptr, 0, static_cast<int>(ms));
         }
       }},
  };
  return table;
}

}  // namespace

void die(const std::string& what) {
  write_all(2, "ddp-test-helper: " + what + "\n");
  _exit(99);
}

void die_errno(const std::string& what) { die(what + ": " + strerror(errno)); }

std::string Words::next(std::string_view step) {
  if (empty()) die(std::string(step) + ": an argument is missing");
  return words_[next_++];
}

long Words::number(std::string_view step) {
  const auto word = next(step);
  long value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || *end != '\0')
    die(std::string(step) + ": '" + word + "' is no number");
  return value;
}

int Words::signal(std::string_view step) {
  auto word = next(step);
  if (word.rfind("SIG", 0) == 0) word.erase(0, 3);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* const name = sigabbrev_np(signal);
    if ((name != nullptr && word == name) || word == std::to_string(signal)) return signal;
  }
  die(std::string(step) + ": '" + word + "' is no signal");
}

std::vector<std::string> Words::list(std::string_view step) {
  if (next(step) != "[") die(std::string(step) + ": expected a list [ … ]");
  std::vector<std::string> inner;
  for (int depth = 1;;) {
    auto word = next(step);
    depth += word == "[";
    depth -= word == "]";
    if (depth == 0) return inner;
    inner.push_back(std::move(word));
  }
}

void run(const std::vector<std::string>& script) {
  Words words(script);
  while (!words.empty()) {
    const auto name = words.next("");
    const auto step = steps().find(name);
    if (step == steps().end()) die("no step '" + name + "'");
    step->second(words, name);
  }
}

}  // namespace ddp::helper

int main(int argc, char** argv) {
  ddp::helper::run({argv + 1, argv + argc});
  return 0;
}
