#include "tests/gpu_sim/runtime/fiber.hpp"

#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace ddp::gpu_sim {
namespace {

constexpr std::size_t kStack = std::size_t{64} << 10;

}  // namespace

Fiber::Fiber() {
  boost::context::fixedsize_stack stacks(kStack);
  stack_ = stacks.allocate();
  self_ = boost::context::fiber(std::allocator_arg,
                                boost::context::preallocated(stack_.sp, stack_.size, stack_),
                                stacks, [this](boost::context::fiber&& caller) {
                                  caller_ = std::move(caller);
                                  loop();
                                  return std::move(caller_);
                                });
}

Fiber::~Fiber() {
  closing_ = true;
  resume();
}

void Fiber::start(const std::function<void()>& work) { work_ = &work; }

bool Fiber::resume() {
#if defined(__SANITIZE_ADDRESS__)
  const void* const bottom = static_cast<const char*>(stack_.sp) - stack_.size;
  __sanitizer_start_switch_fiber(&caller_fake_, bottom, stack_.size);
#endif
  self_ = std::move(self_).resume();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(caller_fake_, nullptr, nullptr);
#endif
  return running();
}

void Fiber::yield() {
  leave(false);
  caller_ = std::move(caller_).resume();
  enter();
}

void Fiber::loop() {
  enter();
  while (!closing_) {
    (*work_)();
    work_ = nullptr;
    yield();
  }
  leave(true);
}

void Fiber::enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(own_fake_, &caller_bottom_, &caller_size_);
#endif
}

void Fiber::leave([[maybe_unused]] bool for_good) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &own_fake_, caller_bottom_, caller_size_);
#endif
}

}  // namespace ddp::gpu_sim
