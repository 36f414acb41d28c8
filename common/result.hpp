// Room: common. What launcher and worker share privately: results, numbers and durations as text,
// UTF-8, signal names, environment variables, notification messages. Standard library and POSIX
// only.
// Includes: no other. Included by: common/client, common/faults, launcher, launcher/base,
// launcher/campaign, launcher/cli, launcher/control, launcher/core, launcher/core/record,
// launcher/ddpctl, launcher/diagnosis, launcher/events, launcher/hangs, launcher/history,
// launcher/keeper, launcher/metrics, launcher/os, launcher/output, launcher/page, launcher/peers,
// launcher/placement, launcher/plan, launcher/preflight, launcher/preload, launcher/program,
// launcher/rendezvous, launcher/report, launcher/settings, launcher/supervisor, launcher/trace,
// launcher/workers, worker/base, worker/checkpoint, worker/cli, worker/gpu, worker/store.
//
// A value, or one line that says why there is none: how functions return an expected failure.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace ddp {

// One line for the user: what is wrong, where, and what is allowed.
struct Error {
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}              // NOLINT: implicit by intent
  Result(Error error) : error_(std::move(error.message)) {}  // NOLINT: implicit by intent

  explicit operator bool() const { return value_.has_value(); }
  T& operator*() {
    assert(value_);
    return *value_;
  }
  const T& operator*() const {
    assert(value_);
    return *value_;
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const std::string& error() const { return error_; }

 private:
  std::optional<T> value_;
  std::string error_;
};

}  // namespace ddp
