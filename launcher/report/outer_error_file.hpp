// Passes the exception that ended a run on to whatever started ddp-launch and reads its
// TORCHELASTIC_ERROR_FILE: another launch, torchrun, or a scheduler.
#pragma once

#include "launcher/core/record/run_record.hpp"

#include <string>

namespace ddp {

// Writes it to the file that this process's own TORCHELASTIC_ERROR_FILE names; without that
// variable, or where no exception is known, nothing. Returns one line for the user, empty on
// success.
std::string write_outer_error_file(const core::Incident& failure);

}  // namespace ddp
