// Loads libmlxc as Java does and multiplies matrices, on the processor and on every GPU that MLX says it can use.
//
//   proof LIBMLXC VERSION      one line on standard output; exit code 0 when all was right, else 1
//
// Nothing is linked: it takes the library that it is told, or fails.

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "mlx/c/mlx.h"

static void* library;
static std::string failure;

[[noreturn]] static void fail(const std::string& what) {
  printf("%s%s%s\n", what.c_str(), failure.empty() ? "" : ": ", failure.c_str());
  exit(1);
}

static void* find(const char* name) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) {
    fail(std::string(name) + " is missing in libmlxc");
  }
  return symbol;
}

#define MLX(name) reinterpret_cast<decltype(&name)>(find(#name))

static void check(int code, const char* what) {
  if (code != 0) {
    fail(what);
  }
}

// [T, K] times [K, N] of small whole numbers, which every type and order of adding gives exactly.
static void multiply(mlx_device_type type, const char* device) {
  constexpr int T = 16, K = 32, N = 64;
  static float a[T * K], b[K * N];
  for (int i = 0; i < T * K; i++) {
    a[i] = static_cast<float>(i % 7 - 3);
  }
  for (int i = 0; i < K * N; i++) {
    b[i] = static_cast<float>(i % 5 - 2);
  }
  int shapeA[] = {T, K}, shapeB[] = {K, N};
  mlx_stream stream =
      type == MLX_GPU ? MLX(mlx_default_gpu_stream_new)() : MLX(mlx_default_cpu_stream_new)();
  mlx_array left = MLX(mlx_array_new_data)(a, shapeA, 2, MLX_FLOAT32);
  mlx_array right = MLX(mlx_array_new_data)(b, shapeB, 2, MLX_FLOAT32);
  if (stream.ctx == nullptr || left.ctx == nullptr || right.ctx == nullptr) {
    fail(std::string("nothing can be made on the ") + device);
  }
  mlx_array product = MLX(mlx_array_new)();
  check(MLX(mlx_matmul)(&product, left, right, stream), device);
  check(MLX(mlx_array_eval)(product), device);
  const float* result = MLX(mlx_array_data_float32)(product);
  for (int t = 0; t < T; t++) {
    for (int n = 0; n < N; n++) {
      float expected = 0;
      for (int k = 0; k < K; k++) {
        expected += a[t * K + k] * b[k * N + n];
      }
      if (result == nullptr || result[t * N + n] != expected) {
        fail(std::string("a product of matrices is wrong on the ") + device);
      }
    }
  }
  for (mlx_array array : {left, right, product}) {
    MLX(mlx_array_free)(array);
  }
  MLX(mlx_stream_free)(stream);
}

int main(int count, char** arguments) {
  if (count != 3) {
    fail("usage: proof LIBMLXC VERSION");
  }
  library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    fail(dlerror());
  }
  MLX(mlx_set_error_handler)([](const char* message, void*) { failure = message; }, nullptr, nullptr);

  mlx_string version = MLX(mlx_string_new)();
  check(MLX(mlx_version)(&version), "mlx_version");
  std::string found = MLX(mlx_string_data)(version);
  if (found != arguments[2]) {
    fail("MLX " + found + " was loaded, not " + arguments[2]);
  }
  // mlx-c tells no version; these 0.7.0 has and 0.6.0 has not.
  for (const char* name : {"mlx_clear_streams", "mlx_metal_set_metallib_path", "mlx_cumsum_axis"}) {
    find(name);
  }

  multiply(MLX_CPU, "processor");
  bool metal = false, cuda = false;
  check(MLX(mlx_metal_is_available)(&metal), "mlx_metal_is_available");
  check(MLX(mlx_cuda_is_available)(&cuda), "mlx_cuda_is_available");
  if (metal || cuda) {
    multiply(MLX_GPU, metal ? "GPU (Metal)" : "GPU (CUDA)");
  }
  printf("MLX %s multiplies right on the %s\n", found.c_str(),
      metal ? "processor and the GPU (Metal)" : cuda ? "processor and the GPU (CUDA)" : "processor");
  return 0;
}
