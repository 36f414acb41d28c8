// Who sent a request, and how it is answered.
#pragma once

#include "launcher/core/request.hpp"

#include <string>

namespace ddp::control {

// One client of the control socket, as what answers it sees it. It may leave at any moment; what it
// is sent after that is dropped. Every line ends in a newline.
class Client {
 public:
  virtual ~Client() = default;

  virtual const core::Requester& requester() const = 0;
  // The whole answer to its request, one line or several. It may come later.
  virtual void answer(std::string lines) = 0;
};

}  // namespace ddp::control
