// Runs the built worker as a launcher would: the environment set by hand, a reserved port, the
// output caught.
#pragma once

#include "tests/support/reserved_port.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ddp::test {

// A directory that is removed at the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string at(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

struct Ended {
  int code = -1;  // exit code, or 128 + signal
  std::string out;
  std::string err;
};

using Environment = std::map<std::string, std::string>;

// One worker process, killed at the latest when this object is destroyed.
class Process {
 public:
  // Starts the worker, or another `program`, with `arguments`. Of our own environment everything is
  // passed on but the launcher's variables; `environment` is added.
  Process(const std::vector<std::string>& arguments, const Environment& environment,
          const std::string& program = DDP_WORKER);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  void signal(int number) const;
  // Waits until standard output holds `text`, as wait_until.
  void wait_for_output(const std::string& text);
  // Waits until `holds` is true of the standard output so far; fails the test after a minute.
  void wait_until(const std::function<bool(const std::string& out)>& holds);
  // Waits for the end; a worker that outlives `limit` is killed and fails the test.
  Ended wait(std::chrono::seconds limit = std::chrono::seconds(60));

 private:
  bool read_some(std::chrono::steady_clock::time_point deadline);
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  Ended ended_;
};

// The environment of rank `rank` of `world`, every rank on this machine.
Environment rank_environment(int rank, int world, const ReservedPort& port);

// Runs all ranks of a world of `world`, waits for all; rank 0's result is first.
std::vector<Ended> run_world(int world, const std::vector<std::string>& arguments,
                             const Environment& more = {});

// How often `text` occurs in `all`.
std::size_t occurrences(const std::string& all, const std::string& text);

// A text of `bytes` bytes with something to learn: words in an order that is not quite random.
std::string sample_text(std::size_t bytes);

// The values that `key` has in lines of --json output whose event is `event`, as text.
std::vector<std::string> json_values(const std::string& output, const std::string& event,
                                     const std::string& key);

}  // namespace ddp::test
