// Who sent a request, and how it is answered.
#pragma once

#include "launcher/core/request.hpp"

#include <string>
#include <string_view>

namespace ddp::control {

// One client of the control socket, as what answers it sees it. It may leave at any moment; what it
// is sent after that is dropped. Every line ends in a newline.
class Client {
 public:
  virtual ~Client() = default;

  virtual const core::Requester& requester() const = 0;
  // The whole answer to its request, one line or several. It may come later.
  virtual void answer(std::string lines) = 0;
  // An answer that goes on: what more() adds follows until the client leaves.
  virtual void begin(std::string lines) = 0;
  // False: the client has left too much unread, and the line is dropped. {"lost":n} stands in the
  // place of what was dropped.
  virtual bool more(std::string_view line) = 0;
};

}  // namespace ddp::control
