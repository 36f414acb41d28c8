#include "launcher/core/shared_memory.hpp"

#include <algorithm>
#include <charconv>

namespace ddp::core {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_python_random(char c) { return is_digit(c) || is_lower(c) || c == '_'; }

template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}
template <class Predicate>
bool all_of(std::string_view text, std::size_t size, Predicate predicate) {
  return text.size() == size && all_of(text, predicate);
}

// Whether `text` begins with `head`, which is then removed.
bool take(std::string_view& text, std::string_view head) {
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  return true;
}

// The parts between `separator`, each of which satisfies `predicate`; 0 where one does not.
template <class Predicate>
int count_parts(std::string_view text, char separator, Predicate predicate) {
  for (int count = 1;; ++count) {
    const auto end = text.find(separator);
    if (!all_of(text.substr(0, end), predicate)) return 0;
    if (end == std::string_view::npos) return count;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

const char* name_of(SegmentProof proof) {
  switch (proof) {
    case SegmentProof::none:
      return "none";
    case SegmentProof::seen:
      return "seen";
    case SegmentProof::pid_in_name:
      return "pid_in_name";
  }
  return "?";
}

bool is_generated_name(std::string_view name) {
  if (take(name, "psm_")) return all_of(name, 8, is_hex);
  if (take(name, "sem.mp-")) return all_of(name, 8, is_python_random);
  if (take(name, "nccl-")) return all_of(name, 6, is_alphanumeric);
  if (take(name, "cuda.shm.")) return count_parts(name, '.', is_hex) == 3;
  if (take(name, "pym-")) {
    const auto dash = name.find('-');
    return dash != std::string_view::npos && all_of(name.substr(0, dash), is_digit) &&
           all_of(name.substr(dash + 1), 8, is_python_random);
  }
  if (take(name, "torch_")) {
    const int parts = count_parts(name, '_', is_digit);
    return parts == 2 || parts == 3;
  }
  return false;
}

std::optional<int> pid_in_name(std::string_view name) {
  if (!is_generated_name(name) || (!take(name, "torch_") && !take(name, "pym-")))
    return std::nullopt;
  int pid = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc{} && pid > 0 ? std::optional(pid) : std::nullopt;
}

bool is_to_be_removed(const Segment& segment, CleanSharedMemory policy) {
  if (segment.proof == SegmentProof::none || !segment.rank || segment.maybe_used) return false;
  return policy == CleanSharedMemory::all ||
         (policy == CleanSharedMemory::generated && segment.generated_name);
}

}  // namespace ddp::core
