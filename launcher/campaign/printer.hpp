// The campaign's stdout: its progress and its table, whatever the reader does.
#pragma once

#include "launcher/output/console_sink.hpp"

#include <optional>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::campaign {

class Printer {
 public:
  // A stdout that fails is reported on stderr, once; the campaign continues without it.
  explicit Printer(boost::asio::io_context& io);

  // Whole lines. Never waits for the reader.
  void print(const std::string& text);

  // How wide a status may be; none: stdout is no terminal that can show one.
  std::optional<int> status_columns() const;
  // The line below all that is printed, less than that wide; empty: none. Not shown while the shell
  // uses the terminal.
  void status(std::string text);

  // Gives the reader up to 5 s to take the rest. False where some of what was printed is lost,
  // which is reported on stderr.
  bool finish();

 private:
  out::ConsoleSink sink_;
  std::string status_;
};

}  // namespace ddp::campaign
