// The communicator of a world of one: there is nothing to exchange.
#pragma once

#include "worker/comm/communicator.hpp"

#include <memory>

namespace ddp::worker {

std::unique_ptr<Communicator> make_single_communicator();

}  // namespace ddp::worker
