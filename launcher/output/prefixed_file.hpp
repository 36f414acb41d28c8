// A worker stream's log file, with a prefix at the start of each line where one is asked for.
#pragma once

#include "launcher/output/log_file.hpp"
#include "launcher/output/prefix.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace ddp::out {

class PrefixedFile {
 public:
  PrefixedFile() = default;  // not open: takes nothing and does not fail
  PrefixedFile(LogFile file, Prefix start) : file_(std::move(file)), start_(std::move(start)) {}

  // Writes a chunk of the stream, which may begin or end within a line, as read at `now`. `buffer`
  // is for text behind prefixes; streams that take turns can share one. Returns an empty string, or
  // the path and the reason: then the file is closed.
  std::string write(std::string_view chunk, std::chrono::steady_clock::time_point now,
                    std::string& buffer);

  // Closes the file. Returns an empty string, or why what was written cannot be found any more.
  std::string close();

 private:
  LogFile file_;
  Prefix start_;
  bool midline_ = false;  // the file's last byte was no newline
};

}  // namespace ddp::out
