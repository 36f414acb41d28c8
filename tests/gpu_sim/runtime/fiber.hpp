// A thread of a kernel: it runs until it waits at a barrier or returns. AddressSanitizer learns of
// each change of stack. For ThreadSanitizer all fibers of a stream are the stream's thread: it
// looks for races between streams.
#pragma once

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>

#include <cstddef>
#include <functional>

namespace ddp::gpu_sim {

// Bound to the system thread that resumes it first.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() begins to call `work`, which must outlive the call.
  void start(const std::function<void()>& work);
  bool running() const { return work_ != nullptr; }
  // Runs it until it yields (true) or its work has returned (false).
  bool resume();
  // Called within it: returns at the next resume().
  void yield();

 private:
  void loop();
  void enter();  // what AddressSanitizer wants after a change to the fiber
  void leave(bool for_good);

  boost::context::stack_context stack_;
  boost::context::fiber self_;
  boost::context::fiber caller_;
  const std::function<void()>* work_ = nullptr;
  bool closing_ = false;
  // Of AddressSanitizer.
  void* caller_fake_ = nullptr;
  void* own_fake_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_size_ = 0;
};

}  // namespace ddp::gpu_sim
