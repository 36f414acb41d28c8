// What becomes of the workers' output.
#pragma once

#include "launcher/output/prefix.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace ddp::out {

enum class Style {
  prefix,  // "[rank] line"
  raw,     // the line alone, or behind its time
  none,    // nothing on the console
};

// Which of a worker's two streams go somewhere: torchrun's 0, 1, 2, 3.
struct StreamSet {
  bool out = false;
  bool err = false;
};

}  // namespace ddp::out

namespace ddp {

struct OutputOptions {
  out::Style style = out::Style::prefix;
  out::LineStart line_start;             // a file that gets no bytes of ours is the worker's
  std::string log_dir;                   // as given; empty: none
  bool needs_log_dir = false;            // none is given, but there are files to write
  std::vector<out::StreamSet> redirect;  // by local rank: to its file instead of the console
  std::vector<out::StreamSet> tee;       // by local rank: to its file and the console
  std::vector<bool> shown;               // by local rank: false hides it on the console
  bool status = true;                    // the status line, where there is a terminal
  bool pty = false;                      // each stream that is read is a terminal, not a pipe
};

// "Output" in --help.
std::span<const FlagSpec> output_flags();
Failure read_output(const SettingsReader& reader, int nproc, OutputOptions& options);

}  // namespace ddp
