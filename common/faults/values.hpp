// The values after the '=' of a spec's words; only build() uses them.
#pragma once

#include "common/faults/spec.hpp"

#include <string>

namespace ddp::fault {

// What is allowed instead, empty where the text is valid; the caller puts the refused text before
// it.
using Refusal = std::string;

Refusal read_value(const KindInfo& row, const std::string& text, Value& into);
Refusal read_word(Word word, const std::string& text, int world_size, Spec& spec);

}  // namespace ddp::fault
