// The output of a run: a compact table for people, or JSON lines for programs (--json). Only rank 0
// prints; the other ranks have a silent report.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/model/layout.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::worker {

struct RunFacts {
  std::string backend;
  std::string device;
  int world_size = 1;
  ModelShape model;
  std::size_t parameters = 0;
  std::size_t buckets = 1;
  std::vector<std::string> data;
  std::size_t training_bytes = 0;
  std::size_t validation_bytes = 0;
  double order0_entropy = 0;  // bits per byte of the training text
};

struct StepFacts {
  std::int64_t step = 0;
  double loss = 0;  // nats, mean over the global batch
  double gradient_norm = 0;
  double learning_rate = 0;
  double seconds_per_step = 0;  // since the last line
  double samples_per_second = 0;
};

struct Summary {
  std::int64_t first_step = 0;  // the run began after this step: 0 unless resumed
  std::int64_t steps = 0;       // steps done in all
  double seconds = 0;           // spent in steps
  double samples_per_second = 0;
  double first_loss = 0;
  double last_loss = 0;
  CommStatistics communication;
  int world_size = 1;
  std::string digest;  // of the final parameters
};

class Report {
 public:
  enum class Style { silent, table, json };
  explicit Report(Style style) : style_(style) {}

  void start(const RunFacts& facts);
  void step(const StepFacts& facts);
  void validation(std::int64_t step, double bits_per_byte);
  void summary(const Summary& summary);
  void generated(std::string_view text);
  void note(std::string_view text);  // one line

 private:
  // Writes and flushes at once, so that each line is visible immediately. Throws Failure when
  // standard output cannot be written.
  void print(const std::string& text);

  Style style_;
  bool header_printed_ = false;
};

}  // namespace ddp::worker
