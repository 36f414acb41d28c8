// The operators of the model on the CPU: OpenBLAS for the products, kernels.hpp for the rest.
//
// The model (model.hpp) is a template over a class like this one. All pointers are to memory of
// the operators' device, rows of samples, row-major; weights are [out x in].
#pragma once

#include "worker/model/kernels.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace ddp::worker {

// Zeroed memory, aligned to cache lines.
template <class T>
class AlignedArray {
 public:
  explicit AlignedArray(std::size_t size = 0);
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_;
};

template <class T>
class CpuOps {
 public:
  using Scalar = T;
  using Array = AlignedArray<T>;
  using Bytes = AlignedArray<std::uint8_t>;

  Array allocate(std::size_t size) { return Array(size); }
  Bytes allocate_bytes(std::size_t size) { return Bytes(size); }
  // Copies to and from host memory; complete on return.
  void copy_in(std::uint8_t* to, std::span<const std::uint8_t> from);
  void copy_in(T* to, std::span<const T> from);
  void copy_out(std::span<T> to, const T* from);

  // y[n x out] = x[n x in] w^T
  void linear(const T* x, const T* w, T* y, std::size_t n, std::size_t in, std::size_t out);
  // dx[n x in] = dy[n x out] w
  void linear_input_gradient(const T* dy, const T* w, T* dx, std::size_t n, std::size_t in,
                             std::size_t out);
  // dw[out x in] (+)= dy^T x
  void linear_weight_gradient(const T* dy, const T* x, T* dw, bool accumulate, std::size_t n,
                              std::size_t in, std::size_t out);

  // See kernels.hpp.
  void bias_gelu(T* z, const T* bias, T* activation, std::size_t n, std::size_t width) {
    kernels_.bias_gelu(z, bias, activation, n, width);
  }
  void gelu_backward(T* d, const T* derivative, T* bias_gradient, bool accumulate, std::size_t n,
                     std::size_t width) {
    kernels_.gelu_backward(d, derivative, bias_gradient, accumulate, n, width);
  }
  // *loss (+)= scale * the sum the kernel returns.
  void softmax_cross_entropy(T* logits, const T* bias, const std::uint8_t* targets, T scale,
                             T* bias_gradient, T* loss, bool accumulate, std::size_t n) {
    const double sum =
        kernels_.softmax_cross_entropy(logits, bias, targets, scale, bias_gradient, accumulate, n);
    *loss = (accumulate ? *loss : T{0}) + static_cast<T>(sum * static_cast<double>(scale));
  }
  double softmax_loss(T* logits, const T* bias, const std::uint8_t* targets, std::size_t n) {
    return kernels_.softmax_loss(logits, bias, targets, n);
  }
  void gather(const T* embedding, const std::uint8_t* bytes, T* out, std::size_t n,
              std::size_t context, std::size_t embed) {
    kernels_.gather(embedding, bytes, out, n * context, embed);
  }
  void scatter_add(const T* d, const std::uint8_t* bytes, T* gradient, std::size_t n,
                   std::size_t context, std::size_t embed) {
    kernels_.scatter_add(d, bytes, gradient, n * context, embed);
  }
  void zero(T* values, std::size_t n);
  void adamw(T* p, const T* g, T* m, T* v, std::size_t n, const AdamWStep& step) {
    kernels_.adamw(p, g, m, v, n, step);
  }
  double squared_norm(const T* values, std::size_t n) { return kernels_.squared_norm(values, n); }

 private:
  const Kernels<T>& kernels_ = kernels(T{});
};

extern template class AlignedArray<float>;
extern template class AlignedArray<double>;
extern template class AlignedArray<std::uint8_t>;
extern template class CpuOps<float>;
extern template class CpuOps<double>;

}  // namespace ddp::worker
