#include "launcher/core/faults/traits.hpp"

#include <iterator>

namespace ddp::core {
namespace {

using fault::Kind;

// As a program exits that has noticed an error: by itself.
constexpr Consequences kGivesUp{.exit = true, .signals = {SIGABRT}};
constexpr auto kAffected = PeersExit::possible;
constexpr auto kNoHang = HangBehind::never;

// clang-format off
constexpr FaultTraits kTraits[] = {
    {.kind = Kind::kill, .exit = FaultExit::signal, .signal = SIGKILL, .peers = kAffected, .hang = kNoHang, .at_once = true},
    {.kind = Kind::signal, .exit = FaultExit::value_signal, .may = {.exit = true, .exit_0 = true}, .peers = PeersExit::if_rank},  // it may have a handler
    {.kind = Kind::stop, .may = kGivesUp, .peers = kAffected, .hang = HangBehind::certain, .adds_up = true, .stops_process = true},
    {.kind = Kind::slow, .may = kGivesUp, .throttles = true},
    {.kind = Kind::memory, .may = {.exit = true, .oom_kill = true, .signals = {SIGABRT, SIGSEGV, SIGBUS}}},
    {.kind = Kind::file_size, .exit = FaultExit::signal, .signal = SIGXFSZ, .may = kGivesUp},
    {.kind = Kind::open_files, .may = kGivesUp},
    {.kind = Kind::cpu_time, .exit = FaultExit::signal, .signal = SIGXCPU, .may = {.exit = true, .signals = {SIGABRT, SIGKILL}}},  // SIGKILL: the hard limit
    {.kind = Kind::pin, .may = kGivesUp},
    {.kind = Kind::block_output, .may = kGivesUp, .peers = kAffected, .adds_up = true, .undone_at_teardown = true},
    {.kind = Kind::hide_device, .may = {.exit = true, .signals = {SIGABRT, SIGSEGV}}},
    {.kind = Kind::spawn_fail, .hang = kNoHang, .not_started = true},
    {.kind = Kind::spawn_delay, .may = kGivesUp, .peers = kAffected, .lasts_for_value = true},
    {.kind = Kind::port_taken, .peers = kAffected},
    {.kind = Kind::kill_supervisor, .loses_record = true},
    {.kind = Kind::kill_keeper},
    {.kind = Kind::exit, .exit = FaultExit::value_code, .peers = kAffected},
    {.kind = Kind::throw_exception, .exit = FaultExit::signal, .signal = SIGABRT, .may = {.exit = true}, .peers = kAffected, .hang = kNoHang},
    {.kind = Kind::segfault, .exit = FaultExit::signal, .signal = SIGSEGV, .may = {.exit = true}, .peers = kAffected, .hang = kNoHang},
    {.kind = Kind::abort, .exit = FaultExit::signal, .signal = SIGABRT, .may = {.exit = true}, .peers = kAffected, .hang = kNoHang},
    {.kind = Kind::delay, .may = kGivesUp, .peers = kAffected, .lasts_for_value = true},
    {.kind = Kind::skip_allreduce, .may = kGivesUp, .peers = kAffected},
    {.kind = Kind::die_in_allreduce, .exit = FaultExit::signal, .signal = SIGKILL, .may = kGivesUp, .peers = kAffected},
    {.kind = Kind::nan, .may = kGivesUp, .peers = kAffected},
    {.kind = Kind::bitflip, .may = kGivesUp, .peers = kAffected},
    {.kind = Kind::corrupt_checkpoint, .may = kGivesUp},
    {.kind = Kind::cut_checkpoint, .exit = FaultExit::signal, .signal = SIGKILL, .may = kGivesUp, .peers = kAffected},
};
// clang-format on

consteval bool is_in_order() {
  for (std::size_t i = 0; i < std::size(kTraits); ++i) {
    if (kTraits[i].kind != static_cast<Kind>(i)) return false;
  }
  return std::size(kTraits) == fault::kKindCount;
}
static_assert(is_in_order(), "one row per kind, in the order of the enumeration");

}  // namespace

const FaultTraits& traits(Kind kind) { return kTraits[static_cast<std::size_t>(kind)]; }

}  // namespace ddp::core
