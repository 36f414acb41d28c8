// Diagnoses a failure once its attempt is over. What the system says is collected right after the
// stop signals are sent: shared memory that is full now may be free when the group is gone.
//
// No restart waits for a diagnosis: where one follows, what is known is kept and matched once the
// new ranks are started; else that is the last thing before the report. It takes a tenth of a
// millisecond and keeps no memory.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/diagnosis/match.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/error_files.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp {

class DiagnosisFinder final : public core::Observer {
 public:
  // All but the texts and `publish` borrowed.
  struct Sources {
    os::Loop& loop;
    std::span<const diagnosis::Signature> users;  // tried before the built-in ones
    const ErrorFiles& files;
    const out::Router& router;
    std::string program;  // as the user gave it
    std::string run_dir;  // where the run's files are; it exists
    core::Publish publish;
  };
  // It publishes DiagnosisMade before any observer after it gets the GenerationOver, or where a
  // restart follows, some time after that.
  explicit DiagnosisFinder(Sources sources);

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }
  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);
  void apply(const core::ExceptionFound& found, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);

 private:
  void examine_system();
  void diagnose(const diagnosis::Facts& facts, core::Generation generation,
                const std::function<std::vector<diagnosis::Witness>()>& witnesses);
  diagnosis::Facts facts_of(const core::Verdict& verdict) const;
  std::vector<std::string> lines_of(core::LocalRank rank, const core::RankException& exception,
                                    int count) const;
  std::vector<diagnosis::Witness> witnesses(const core::Verdict& verdict) const;

  Sources sources_;
  bool run_dir_is_local_;
  bool shared_memory_is_local_;
  std::optional<std::vector<diagnosis::SystemFact>> system_;  // when the attempt failed
  core::Generation generation_ = 0;
  core::TimePoint began_;
  core::RankException exception_;  // of the root cause
};

}  // namespace ddp
