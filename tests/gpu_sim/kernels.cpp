// The worker's kernels, for a C++ compiler and the headers of include/.
#include "worker/gpu/kernels.cu"
