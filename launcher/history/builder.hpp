// Builds a history from events, one after the other.
#pragma once

#include "launcher/history/history.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace boost::json {
class object;
}

namespace ddp::history {

class Builder {
 public:
  // Of all kept attempts together.
  static constexpr std::size_t kMostSpans = 65'536;
  static constexpr std::size_t kMostGenerations = 4096;
  static constexpr std::size_t kMostPoints = 16'384;  // then every second is left out
  // Of faults, failures and so on: the last of each.
  static constexpr std::size_t kMostOfAList = 1000;
  static constexpr std::size_t kMostLines = 20;      // the last of a rank
  static constexpr std::size_t kLongestText = 8192;  // bytes; a longer one is cut

  // One object of events.jsonl with a name and a time. An unknown event, and a field that is
  // missing or of another type, changes nothing.
  void add(std::string_view event, const boost::json::object& fields);
  void add_unreadable() { ++history_.unreadable; }

  History take() &&;

 private:
  class Fields;
  using Handler = void (Builder::*)(const Fields&);
  static Handler handler(std::string_view event);

  void run_started(const Fields& event);
  void run_finished(const Fields& event);
  void generation_began(const Fields& event);
  void worker_started(const Fields& event);
  void worker_ready(const Fields& event);
  void worker_exited(const Fields& event);
  void group_running(const Fields& event);
  void progress(const Fields& event);
  void teardown_began(const Fields& event);
  void processes_gone(const Fields& event);
  void generation_ended(const Fields& event);
  void failure(const Fields& event);
  void fault_injected(const Fields& event);
  void fault_refused(const Fields& event);
  void fault_undone(const Fields& event);
  void straggler(const Fields& event);
  void hang_detected(const Fields& event);
  void expectation(const Fields& event);
  void last_lines(const Fields& event);
  void spawn_failed(const Fields& event);
  void stop_requested(const Fields& event);
  void time_up(const Fields& event);
  void keeper_gone(const Fields& event);
  void preload_lost(const Fields& event);
  void leftover_killed(const Fields& event);
  void killed(const Fields& event);
  void lost(const Fields& event);

  // Of the event's attempt; null: it is not kept.
  Generation* generation(const Fields& event);
  RankSpan* span(const Fields& event);
  void note(const Fields& event, std::string text);
  template <class T>
  void keep(std::vector<T>& list, T one);
  void drop_oldest();
  void thin_out();

  History history_;
  core::GoodputMeter goodput_;
  std::size_t spans_ = 0;
  std::size_t points_ = 0;
};

}  // namespace ddp::history
