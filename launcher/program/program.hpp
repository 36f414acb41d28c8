// Room: launcher/program. Which program a rank runs: an executable, or Python with a script or a
// module.
// Includes: common, launcher/base, launcher/core, launcher/settings. Included by: launcher/cli.
//
// The rules are torchrun's where they can be: "train.py" runs under Python.
#pragma once

#include "common/get_env.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace ddp {

// What the first word of the command is.
enum class ProgramKind {
  automatic,   // a Python script if it looks like one, else an executable
  executable,  // --no-python
  script,      // --run-path: a Python script, whatever its name
  module,      // -m
};

// "Workers" in --help.
std::span<const FlagSpec> program_flags();
Failure read_program_kind(const SettingsReader& reader, ProgramKind& kind);

// The command that exec gets. The first word is unchanged, or becomes a path with a slash, or the
// interpreter: PYTHON_EXEC, else python3 of the active virtual (VIRTUAL_ENV) or conda
// (CONDA_PREFIX) environment, else python3. A script that does not exist is refused with 127, one
// that is of no use with 126; an executable is left for exec to find. `directory` is where relative
// paths begin; empty: the current one.
std::variant<std::vector<std::string>, ExitNow> program_command(
    ProgramKind kind, const std::vector<std::string>& words, const GetEnv& get_env,
    const std::string& directory = "");

}  // namespace ddp
