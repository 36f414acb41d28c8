// Ranks that are Python programs, and what the launcher reports of their exceptions.
#pragma once

#include "tests/e2e/launch.hpp"

#include <string>

namespace ddp::test {

inline Words python(const std::string& program) { return {"python3", "-c", program}; }

// record(e): what torch.distributed.elastic.multiprocessing.errors.record writes.
inline const std::string kRecord =
    "import json, os, sys, time, traceback\n"
    "rank, path = os.environ['RANK'], os.environ['TORCHELASTIC_ERROR_FILE']\n"
    "def record(e):\n"
    "    with open(path, 'w') as file:\n"
    "        json.dump({'message': {'message': f'{type(e).__name__}: {e}', 'extraInfo': {\n"
    "            'py_callstack': traceback.format_exc(), 'timestamp': str(int(time.time()))}}},\n"
    "            file)\n";

inline const std::string kRaise =
    "def load(shard): raise ValueError(f'bad data in shard {shard}')\n"
    "def main():\n"
    "    for i in range(30): print('step', i)\n"
    "    load(7)\n";

inline const std::string kRecorded = kRecord + kRaise +
                                     "try: main()\n"
                                     "except Exception as e: record(e); raise\n";

inline int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The lines of the launcher, without those of the workers.
inline std::string report(const Finished& run) {
  std::string text;
  for (const auto& line : lines_of(run.err)) {
    if (line.starts_with("ddp-launch: ") || line.starts_with("  | ")) text += line + "\n";
  }
  return text;
}

}  // namespace ddp::test
