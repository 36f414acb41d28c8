// The benchmark's worker: a small static program that notes when it was started, when it died and
// when it first got a stop signal. Its rank is what the launcher under test calls it.
//
//   probe group BOARD WORLD VICTIM HOW   waits for a stop signal. Rank VICTIM (-1: none) instead
//   reads one byte from
//                                        BOARD.go and then dies: HOW is exit=<n> or kill. In a
//                                        later generation every rank leaves with 0 at once.
//   probe lines COUNT block|each         writes COUNT lines (lines.hpp), in blocks of 4096 bytes
//   that end in the
//                                        middle of a line, as stdio does on a pipe, or with one
//                                        write for each

#include "tests/bench/board.hpp"
#include "tests/bench/lines.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

using ddp::bench::Slot;

std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "probe: %s: %s\n", what, std::strerror(errno));
  std::exit(99);
}

int rank() {
  for (const char* name : {"RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  if (const char* value = std::getenv("PARALLEL_SEQ")) return std::atoi(value) - 1;
  std::fprintf(stderr, "probe: no variable gives the rank\n");
  std::exit(99);
}

int generation() {
  const char* const count = std::getenv("TORCHELASTIC_RESTART_COUNT");
  return count == nullptr ? 0 : std::atoi(count);
}

Slot* open_board(const char* path, int world) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd == -1) fail(path);
  const std::size_t size =
      sizeof(Slot) * static_cast<std::size_t>(world * ddp::bench::kGenerations);
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail(path);
  return static_cast<Slot*>(memory);
}

void wait_for_go(const std::string& fifo) {
  const int fd = ::open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd == -1) fail(fifo.c_str());
  char byte = 0;
  if (::read(fd, &byte, 1) != 1) fail("no go");
}

int group(std::int64_t started, char** arguments) {
  const int world = std::atoi(arguments[1]);
  const int victim = std::atoi(arguments[2]);
  const std::string how = arguments[3];
  const int attempt = generation();
  if (attempt >= ddp::bench::kGenerations) return 0;
  Slot& slot = open_board(arguments[0], world)[attempt * world + rank()];

  sigset_t stops;
  sigemptyset(&stops);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stops, signal);
  ::sigprocmask(SIG_BLOCK, &stops, nullptr);
  slot.started = started;
  slot.pid = ::getpid();
  if (attempt > 0) return 0;

  if (rank() == victim) {
    wait_for_go(std::string(arguments[0]) + ".go");
    slot.death = now();
    if (how == "kill") ::kill(::getpid(), SIGKILL);
    ::_exit(std::atoi(how.c_str() + std::strlen("exit=")));
  }
  const int signal = ::sigwaitinfo(&stops, nullptr);
  slot.first_signal = now();
  slot.signal = signal;
  return 128 + signal;
}

void write_all(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::write(STDOUT_FILENO, data, size);
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) fail("stdout");
    data += count;
    size -= static_cast<std::size_t>(count);
  }
}

int lines(long count, bool each) {
  constexpr std::size_t kBlock = 4096;
  ddp::bench::LineWriter writer(rank());
  std::string pending;
  for (long index = 0; index < count; ++index) {
    writer.append(pending, index);
    if (each) {
      write_all(pending.data(), pending.size());
      pending.clear();
    }
    while (pending.size() >= kBlock) {
      write_all(pending.data(), kBlock);
      pending.erase(0, kBlock);
    }
  }
  write_all(pending.data(), pending.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t started = now();
  const std::string mode = argc > 1 ? argv[1] : "";
  // A launcher may append arguments (GNU parallel does).
  if (mode == "group" && argc >= 6) return group(started, argv + 2);
  if (mode == "lines" && argc >= 4)
    return lines(std::atol(argv[2]), std::strcmp(argv[3], "each") == 0);
  std::fprintf(stderr,
               "usage: probe group BOARD WORLD VICTIM HOW | probe lines COUNT block|each\n");
  return 2;
}
