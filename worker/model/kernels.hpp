// The elementwise loops of the model, compiled once for each instruction set and chosen at run
// time. OpenBLAS does the matrix products.
//
// Rows of `n` samples, row-major. Sums have a fixed order, so that a result depends on the
// machine's instruction set but never on the run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ddp::worker {

struct AdamWStep {
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;    // decoupled (Loshchilov & Hutter 2019); 0 for what does not decay
  double correction1;     // 1 - beta1^t
  double correction2;     // 1 - beta2^t
  double gradient_scale;  // from clipping; 1: as it is
};

template <class T>
struct Kernels {
  // z += bias; activation = gelu(z); z becomes gelu'(z), which the backward pass multiplies with.
  // GELU by its tanh approximation (Hendrycks & Gimpel 2016).
  void (*bias_gelu)(T* z, const T* bias, T* activation, std::size_t n, std::size_t width);
  // d *= derivative; bias_gradient (+)= column sums of d.
  void (*gelu_backward)(T* d, const T* derivative, T* bias_gradient, bool accumulate, std::size_t n,
                        std::size_t width);
  // logits[n x 256] += bias, then become (softmax - one_hot(target)) * scale; bias_gradient (+)=
  // their column sums. Returns the sum over the rows of -log softmax[target].
  double (*softmax_cross_entropy)(T* logits, const T* bias, const std::uint8_t* targets, T scale,
                                  T* bias_gradient, bool accumulate, std::size_t n);
  // Returns the same sum without gradients; logits become probabilities.
  double (*softmax_loss)(T* logits, const T* bias, const std::uint8_t* targets, std::size_t n);
  // out[n x context*embed] = the embeddings of each row's bytes, side by side.
  void (*gather)(const T* embedding, const std::uint8_t* bytes, T* out, std::size_t count,
                 std::size_t embed);
  // gradient[256 x embed] += what gather's output received.
  void (*scatter_add)(const T* d, const std::uint8_t* bytes, T* gradient, std::size_t count,
                      std::size_t embed);
  void (*adamw)(T* parameters, const T* gradients, T* m, T* v, std::size_t n,
                const AdamWStep& step);
  double (*squared_norm)(const T* values, std::size_t n);
};

// The kernels for this machine.
const Kernels<float>& kernels(float);
const Kernels<double>& kernels(double);

}  // namespace ddp::worker
