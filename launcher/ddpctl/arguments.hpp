// The command line of ddpctl as a value.
#pragma once

#include "common/result.hpp"
#include "launcher/ddpctl/commands.hpp"

#include <string>
#include <vector>

namespace ddp::ctl {

struct Arguments {
  Verb verb = Verb::list;
  std::string run;         // run id or pid; empty: the only run
  std::string dir;         // where runs are; empty: where ddp-launch puts them
  std::vector<int> ranks;  // global; empty: all
  int signal = 0;
  std::string fault;
  std::string path;    // of events.jsonl, or the directory that has it; empty: of the run
  std::string output;  // empty: next to events.jsonl
  int lines = 20;
  bool json = false;
  bool follow = false;
  bool help = false;
  bool version = false;
};

// The error names the word that is wrong, and what is allowed.
Result<Arguments> parse_arguments(int argc, const char* const* argv);

std::string help_text();

}  // namespace ddp::ctl
