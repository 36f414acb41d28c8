// Knows when a rank has left the group: every live rank is connected to the store.
#pragma once

#include "worker/store/client.hpp"

#include <atomic>
#include <string>
#include <thread>

namespace ddp::worker {

class LeaverWatch {
 public:
  // Uses `store` alone from now on. It must outlive this object.
  explicit LeaverWatch(StoreClient& store);
  ~LeaverWatch();
  LeaverWatch(const LeaverWatch&) = delete;
  LeaverWatch& operator=(const LeaverWatch&) = delete;

  // The first rank that has left: "rank 2". Empty while none has.
  std::string who() const;

 private:
  StoreClient& store_;
  std::string who_;  // written before left_ is set
  std::atomic<bool> left_{false};
  std::thread thread_;
};

}  // namespace ddp::worker
