#include "common/client/fault_points.hpp"

#include <signal.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <thread>

namespace ddp {
namespace {

using fault::Kind;
using fault::Nanoseconds;
using Injection = fault::WorkerFaults::Injection;

[[noreturn]] void throw_injected() { throw std::runtime_error("injected by the fault plan"); }

// No handler of a caller catches this exception.
[[noreturn]] void throw_uncaught() noexcept { throw_injected(); }

[[noreturn]] __attribute__((no_sanitize("undefined"))) void segfault() {
  // A sanitizer's or a crash reporter's handler would make it exit in another way.
  ::signal(SIGSEGV, SIG_DFL);
  volatile int* volatile nowhere = nullptr;
  *nowhere = 0;
  std::abort();
}

[[noreturn]] void exit_with(int code) {
  std::fflush(nullptr);
  std::_Exit(code);  // as a crashing program would: without waiting for its threads
}

void inject_into_process(const Injection& injection) {
  switch (injection.kind) {
    case Kind::exit:
      exit_with(static_cast<int>(std::get<std::int64_t>(injection.value)));
    case Kind::throw_exception:
      throw_uncaught();
    case Kind::segfault:
      segfault();
    case Kind::abort:
      std::abort();
    default:
      break;
  }
}

}  // namespace

Result<FaultPoints> FaultPoints::read(const WorkerEnv& env, Notifier& notifier) {
  return read(env, notifier, [](const char* name) -> const char* { return std::getenv(name); });
}

Result<FaultPoints> FaultPoints::read(const WorkerEnv& env, Notifier& notifier,
                                      const GetEnv& get_env) {
  auto faults = fault::WorkerFaults::read(get_env, env.rank, env.world_size, env.restart_count);
  if (!faults) return Error{faults.error()};
  FaultPoints points(notifier);
  points.faults_ = std::move(*faults);
  return points;
}

void FaultPoints::settle() {
  if (active()) notifier_->barrier(kBarrierTimeout);
}

void FaultPoints::phase(std::string_view name) {
  notifier_->phase(name);
  settle();
}

void FaultPoints::begin_step(std::int64_t step) {
  for (const Injection& injection : take(step, {Kind::delay}))
    std::this_thread::sleep_for(std::get<Nanoseconds>(injection.value));
}

void FaultPoints::end_step(std::int64_t step,
                           const std::vector<std::pair<std::string, double>>& metrics) {
  notifier_->step(step, metrics);
  notifier_->alive();
  settle();
  for (const Injection& injection :
       take(step, {Kind::exit, Kind::throw_exception, Kind::segfault, Kind::abort}))
    inject_into_process(injection);
}

std::vector<Injection> FaultPoints::take(std::int64_t step, std::initializer_list<Kind> kinds) {
  if (!active()) return {};
  auto injections = faults_.take(step, std::span(kinds.begin(), kinds.size()));
  for (const Injection& injection : injections)
    notifier_->fault(fault::format_injection_id(injection.id));
  if (!injections.empty()) settle();
  return injections;
}

void FaultPoints::damage(std::int64_t step, std::span<float> gradient) {
  if (gradient.empty()) return;
  for (const Injection& injection : take(step, {Kind::nan, Kind::bitflip})) {
    float& element = gradient[injection.choice % gradient.size()];
    element = fault::damaged(injection, element);
  }
}

namespace fault {

float damaged(const WorkerFaults::Injection& injection, float value) {
  if (injection.kind == Kind::nan) return std::numeric_limits<float>::quiet_NaN();
  const auto* const bit = std::get_if<std::int64_t>(&injection.value);
  const auto number = bit != nullptr ? static_cast<std::uint64_t>(*bit) : injection.choice >> 59;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ (std::uint32_t{1} << number));
}

void die() {
  ::kill(::getpid(), SIGKILL);
  stand_still();  // the signal is on its way
}

void stand_still() {
  for (;;) ::pause();
}

}  // namespace fault
}  // namespace ddp
