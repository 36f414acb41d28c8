// Finds the Python exception that ended a rank, once an attempt is over and its output is read: in
// the file that the rank wrote, else in its last lines.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/error_files.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace ddp {

// A rank's error file, as far as it says something.
struct ErrorRecord {
  core::RankException exception;
  std::chrono::system_clock::time_point written;
};
// Never waits: what is no regular file, or larger than kErrorFileBytes, is not read.
std::optional<ErrorRecord> read_error_file(const std::string& path);

class ExceptionFinder final : public core::Observer {
 public:
  // All borrowed. Publishes ExceptionFound before any other observer gets the GenerationOver.
  ExceptionFinder(const ErrorFiles& files, const out::Router& router, core::Publish publish)
      : files_(files), router_(router), publish_(std::move(publish)) {}

  void on(const core::Event&, core::TimePoint) override {}
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }
  void apply(const core::GenerationOver& over, core::TimePoint now);

 private:
  std::optional<core::EarlierException> earlier_than(
      const core::Verdict& verdict, core::LocalRank rank,
      std::chrono::system_clock::time_point limit) const;

  const ErrorFiles& files_;
  const out::Router& router_;
  core::Publish publish_;
};

}  // namespace ddp
