// The kernels. kernels_isa.cpp includes this once for each instruction set, in a separate
// namespace. Uses only <cstdint> and builtins: the linker could keep the AVX-512 copy of an inline
// function of std for the whole program.

inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kVocabulary = 256;

inline double exponential(double x) { return __builtin_exp(x); }

// Cephes' expf: 2^n * p(r), within 2 ulp on [-87, 87], clamped outside. Branch-free, so that the
// compiler can vectorise it; the clamps keep results and their inverses normal numbers, because a
// denormal one costs as much as a hundred others.
inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRoundToInteger = 12582912.0f;  // 1.5 * 2^23
  x = x < -87.0f ? -87.0f : x;
  x = x > 87.0f ? 87.0f : x;
  // Only r keeps a NaN: as an exponent it has no integer value.
  const float finite = x > -87.0f ? x : -87.0f;
  const float n = (finite * kLog2E + kRoundToInteger) - kRoundToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::int32_t power = (static_cast<std::int32_t>(n) + 127) * (1 << 23);
  return p * __builtin_bit_cast(float, power);
}

inline double square_root(double x) { return __builtin_sqrt(x); }
inline float square_root(float x) { return __builtin_sqrtf(x); }

template <class T>
void bias_gelu(T* __restrict z, const T* __restrict bias, T* __restrict activation, std::size_t n,
               std::size_t width) {
  // gelu(x) = x * sigmoid(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3).
  constexpr T kA = static_cast<T>(1.5957691216057308);
  constexpr T kB = static_cast<T>(1.5957691216057308 * 0.044715);
  for (std::size_t row = 0; row < n; ++row) {
    T* const zr = z + row * width;
    T* const ar = activation + row * width;
    for (std::size_t i = 0; i < width; ++i) {
      const T x = zr[i] + bias[i];
      const T square = x * x;
      const T s = 1 / (1 + exponential(-x * (kA + kB * square)));
      ar[i] = x * s;
      zr[i] = s + x * s * (1 - s) * (kA + 3 * kB * square);
    }
  }
}

template <class T>
void add_columns(const T* __restrict d, T* __restrict sums, bool accumulate, std::size_t n,
                 std::size_t width) {
  if (!accumulate)
    for (std::size_t i = 0; i < width; ++i) sums[i] = 0;
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t i = 0; i < width; ++i) sums[i] += d[row * width + i];
}

template <class T>
void gelu_backward(T* __restrict d, const T* __restrict derivative, T* __restrict bias_gradient,
                   bool accumulate, std::size_t n, std::size_t width) {
  if (!accumulate)
    for (std::size_t i = 0; i < width; ++i) bias_gradient[i] = 0;
  for (std::size_t row = 0; row < n; ++row) {
    T* const dr = d + row * width;
    const T* const gr = derivative + row * width;
    for (std::size_t i = 0; i < width; ++i) {
      const T value = dr[i] * gr[i];
      dr[i] = value;
      bias_gradient[i] += value;
    }
  }
}

// One row of logits becomes probabilities. Returns log(sum(exp(logit))) - logit[target].
template <class T>
double softmax_row(T* __restrict row, const T* __restrict bias, std::uint8_t target) {
  T most[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) most[lane] = row[lane] + bias[lane];
  for (std::size_t i = 0; i < kVocabulary; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const T value = row[i + lane] + bias[i + lane];
      row[i + lane] = value;
      most[lane] = value > most[lane] ? value : most[lane];
    }
  }
  T top = most[0];
  for (std::size_t lane = 1; lane < kLanes; ++lane) top = most[lane] > top ? most[lane] : top;
  const T wanted = row[target];
  T sums[kLanes] = {};
  for (std::size_t i = 0; i < kVocabulary; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const T value = exponential(row[i + lane] - top);
      row[i + lane] = value;
      sums[lane] += value;
    }
  }
  T sum = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  const T inverse = 1 / sum;
  for (std::size_t i = 0; i < kVocabulary; ++i) row[i] *= inverse;
  return __builtin_log(static_cast<double>(sum)) + static_cast<double>(top) -
         static_cast<double>(wanted);
}

template <class T>
double softmax_cross_entropy(T* __restrict logits, const T* __restrict bias,
                             const std::uint8_t* targets, T scale, T* __restrict bias_gradient,
                             bool accumulate, std::size_t n) {
  double loss = 0;
  for (std::size_t r = 0; r < n; ++r) {
    T* const row = logits + r * kVocabulary;
    loss += softmax_row(row, bias, targets[r]);
    row[targets[r]] -= 1;
    for (std::size_t i = 0; i < kVocabulary; ++i) row[i] *= scale;
  }
  add_columns(logits, bias_gradient, accumulate, n, kVocabulary);
  return loss;
}

template <class T>
double softmax_loss(T* logits, const T* bias, const std::uint8_t* targets, std::size_t n) {
  double loss = 0;
  for (std::size_t r = 0; r < n; ++r)
    loss += softmax_row(logits + r * kVocabulary, bias, targets[r]);
  return loss;
}

template <class T>
void gather(const T* __restrict embedding, const std::uint8_t* bytes, T* __restrict out,
            std::size_t count, std::size_t embed) {
  for (std::size_t k = 0; k < count; ++k) {
    const T* const from = embedding + bytes[k] * embed;
    for (std::size_t i = 0; i < embed; ++i) out[k * embed + i] = from[i];
  }
}

template <class T>
void scatter_add(const T* __restrict d, const std::uint8_t* bytes, T* __restrict gradient,
                 std::size_t count, std::size_t embed) {
  for (std::size_t k = 0; k < count; ++k) {
    T* const into = gradient + bytes[k] * embed;
    for (std::size_t i = 0; i < embed; ++i) into[i] += d[k * embed + i];
  }
}

template <class T>
void adamw(T* __restrict p, const T* __restrict g, T* __restrict m, T* __restrict v, std::size_t n,
           const AdamWStep& step) {
  const T scale = static_cast<T>(step.gradient_scale);
  const T beta1 = static_cast<T>(step.beta1);
  const T beta2 = static_cast<T>(step.beta2);
  const T rest1 = static_cast<T>(1 - step.beta1);
  const T rest2 = static_cast<T>(1 - step.beta2);
  const T keep = static_cast<T>(1 - step.learning_rate * step.weight_decay);
  const T rate = static_cast<T>(step.learning_rate / step.correction1);
  const T inverse_root = static_cast<T>(1 / __builtin_sqrt(step.correction2));
  const T epsilon = static_cast<T>(step.epsilon);
  for (std::size_t i = 0; i < n; ++i) {
    const T gradient = g[i] * scale;
    const T first = beta1 * m[i] + rest1 * gradient;
    const T second = beta2 * v[i] + rest2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * keep - rate * first / (square_root(second) * inverse_root + epsilon);
  }
}

// In blocks, each summed in 16 lanes of T, the blocks in double: as exact as a sum in double for
// the purpose, and as fast as memory.
template <class T>
double squared_norm(const T* values, std::size_t n) {
  constexpr std::size_t kBlock = 4096;
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const std::size_t end = begin + kBlock < n ? begin + kBlock : n;
    T sums[kLanes] = {};
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        sums[lane] += values[i + lane] * values[i + lane];
    double sum = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum += static_cast<double>(sums[lane]);
    for (; i < end; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    total += sum;
  }
  return total;
}

template <class T>
constexpr Kernels<T> table() {
  return {&bias_gelu<T>,    &gelu_backward<T>, &softmax_cross_entropy<T>,
          &softmax_loss<T>, &gather<T>,        &scatter_add<T>,
          &adamw<T>,        &squared_norm<T>};
}
