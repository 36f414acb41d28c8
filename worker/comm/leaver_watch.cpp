#include "worker/comm/leaver_watch.hpp"

namespace ddp::worker {

LeaverWatch::LeaverWatch(StoreClient& store)
    : store_(store), thread_([this] {
        who_ = store_.wait_for_leaver();
        left_ = true;
      }) {}

LeaverWatch::~LeaverWatch() {
  store_.interrupt();
  thread_.join();
}

std::string LeaverWatch::who() const { return left_ ? who_ : std::string(); }

}  // namespace ddp::worker
