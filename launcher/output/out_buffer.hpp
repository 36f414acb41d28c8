// Bytes that wait for a sink: appended at the end, consumed from the front, never zero-filled.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace ddp::out {

class OutBuffer {
 public:
  OutBuffer() = default;
  OutBuffer(const OutBuffer&) = delete;
  OutBuffer& operator=(const OutBuffer&) = delete;

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view pending() const { return {data_.get() + begin_, size()}; }

  // Returns space for `size` more bytes; commit() says how many were written there.
  char* grow(std::size_t size) {
    if (capacity_ - end_ < size) make_room(size);
    return data_.get() + end_;
  }
  void commit(std::size_t size) { end_ += size; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;  // memcpy from a null view is undefined
    std::memcpy(grow(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }

  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) clear();
  }

  // Frees memory beyond kKept, which is what one burst of short lines needs.
  void clear() {
    begin_ = end_ = 0;
    if (capacity_ > kKept) {
      data_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr std::size_t kKept = std::size_t{512} * 1024;

  void make_room(std::size_t size) {
    const std::size_t used = this->size();
    if (begin_ > 0 && used + size <= capacity_) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
      std::size_t wanted = capacity_ == 0 ? std::size_t{4096} : capacity_;
      while (wanted < used + size) wanted *= 2;
      auto bigger = std::make_unique_for_overwrite<char[]>(wanted);
      if (used > 0) std::memcpy(bigger.get(), data_.get() + begin_, used);
      data_ = std::move(bigger);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace ddp::out
