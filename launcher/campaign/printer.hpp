// The campaign's stdout: its progress and its table, whatever the reader does.
#pragma once

#include "launcher/output/console_sink.hpp"

#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::campaign {

class Printer {
 public:
  // A stdout that fails is reported on stderr, once; the campaign continues without it.
  explicit Printer(boost::asio::io_context& io);

  // Never waits for the reader.
  void print(const std::string& text);

  // Gives the reader up to 5 s to take the rest. False where some of what was printed is lost,
  // which is reported on stderr.
  bool finish();

 private:
  out::ConsoleSink sink_;
};

}  // namespace ddp::campaign
