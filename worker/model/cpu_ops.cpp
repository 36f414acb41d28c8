#include "worker/model/cpu_ops.hpp"

#include <cblas.h>

#include <algorithm>

namespace ddp::worker {
namespace {

int blas_size(std::size_t n) { return static_cast<int>(n); }

// c[m x n] = op(a) op(b) + beta c, row-major.
void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::size_t m, std::size_t n, std::size_t k,
          const float* a, std::size_t lda, const float* b, std::size_t ldb, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, ta, tb, blas_size(m), blas_size(n), blas_size(k), 1.0f, a,
              blas_size(lda), b, blas_size(ldb), beta, c, blas_size(n));
}

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::size_t m, std::size_t n, std::size_t k,
          const double* a, std::size_t lda, const double* b, std::size_t ldb, double beta,
          double* c) {
  cblas_dgemm(CblasRowMajor, ta, tb, blas_size(m), blas_size(n), blas_size(k), 1.0, a,
              blas_size(lda), b, blas_size(ldb), beta, c, blas_size(n));
}

}  // namespace

template <class T>
AlignedArray<T>::AlignedArray(std::size_t size)
    : data_(static_cast<T*>(
          ::operator new[](std::max<std::size_t>(size, 1) * sizeof(T), std::align_val_t{64}))),
      size_(size) {
  std::fill_n(data_.get(), size, T{});
}

template <class T>
void CpuOps<T>::copy_in(std::uint8_t* to, std::span<const std::uint8_t> from) {
  std::copy(from.begin(), from.end(), to);
}

template <class T>
void CpuOps<T>::copy_in(T* to, std::span<const T> from) {
  std::copy(from.begin(), from.end(), to);
}

template <class T>
void CpuOps<T>::copy_out(std::span<T> to, const T* from) {
  std::copy_n(from, to.size(), to.data());
}

template <class T>
void CpuOps<T>::linear(const T* x, const T* w, T* y, std::size_t n, std::size_t in,
                       std::size_t out) {
  gemm(CblasNoTrans, CblasTrans, n, out, in, x, in, w, in, T{0}, y);
}

template <class T>
void CpuOps<T>::linear_input_gradient(const T* dy, const T* w, T* dx, std::size_t n, std::size_t in,
                                      std::size_t out) {
  gemm(CblasNoTrans, CblasNoTrans, n, in, out, dy, out, w, in, T{0}, dx);
}

template <class T>
void CpuOps<T>::linear_weight_gradient(const T* dy, const T* x, T* dw, bool accumulate,
                                       std::size_t n, std::size_t in, std::size_t out) {
  gemm(CblasTrans, CblasNoTrans, out, in, n, dy, out, x, in, accumulate ? T{1} : T{0}, dw);
}

template <class T>
void CpuOps<T>::zero(T* values, std::size_t n) {
  std::fill_n(values, n, T{});
}

template class AlignedArray<float>;
template class AlignedArray<double>;
template class AlignedArray<std::uint8_t>;
template class CpuOps<float>;
template class CpuOps<double>;

}  // namespace ddp::worker
