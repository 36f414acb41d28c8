// A terminal's screen after what was written to it, as far as the launcher uses one: printable
// characters of one column each, \r, \n (as a terminal's output processing passes it, \r\n),
// colours, erasing to the end of line and screen, one line up, and wrapping turned off and on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ddp::test {

class Screen {
 public:
  explicit Screen(int columns) : columns_(columns) {}
  // Throws std::runtime_error for a sequence that is none of the above.
  void write(std::string_view bytes);
  // From the top, without blanks at the end of a line or empty lines at the end. What scrolls out
  // of a real screen is still there.
  std::vector<std::string> lines() const;

 private:
  void put(std::string character);
  std::string_view escape(std::string_view sequence);

  int columns_;
  std::vector<std::vector<std::string>> rows_{1};
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  bool wraps_ = true;
};

}  // namespace ddp::test
