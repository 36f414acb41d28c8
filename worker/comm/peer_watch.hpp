// Ends this process when a collective waits for a peer that is gone.
//
// Gloo does not always see that a peer died: where it has received only part of that peer's data it
// waits for the rest until its timeout. Every live rank is connected to the store, so the store
// knows. Once a peer has left, a collective that makes no progress can never complete, and only the
// exit of this process ends Gloo's wait. A barrier is not watched: it is the last thing a rank
// does, and some ranks leave it before others.
#pragma once

#include "worker/store/client.hpp"

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace ddp::worker {

class PeerWatch {
 public:
  // The threads that run collectives; each runs one at a time.
  enum Thread { kTrainer, kBuckets, kThreads };
  // The line to print for a collective that failed, from what it did and why.
  using Message = std::function<std::string(const std::string& what, const std::string& why)>;

  // Takes over `store`'s waiting for a peer to leave, until the destructor.
  PeerWatch(StoreClient& store, int rank, Message message);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // A collective of `thread` is under way for as long as this object lives.
  class Mark {
   public:
    Mark(PeerWatch& watch, Thread thread, const std::string& what)
        : watch_(watch), thread_(thread) {
      watch_.set_under_way(thread_, what);
    }
    ~Mark() { watch_.set_under_way(thread_, {}); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

   private:
    PeerWatch& watch_;
    Thread thread_;
  };

 private:
  struct UnderWay {
    std::string what;  // empty: none
    std::uint64_t number = 0;
  };

  void set_under_way(Thread thread, const std::string& what);
  void watch();

  StoreClient& store_;
  int rank_;
  Message message_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable stop_;
  bool watching_ = true;
  std::array<UnderWay, kThreads> under_way_;
  std::thread thread_;
};

}  // namespace ddp::worker
