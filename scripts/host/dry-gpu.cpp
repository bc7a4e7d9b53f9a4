// A GPU that computes nothing and counts. For tests and scripts/bench-host; Linux on x86-64, MLX 0.32.2 from its wheel.
//
// Preloaded (LD_PRELOAD) into a process that uses libmlx.so, it makes MLX believe in a Metal GPU: GPU streams can be
// made, the `fast` operations stay single primitives, compiled functions are fused, and evaluating an array decides the
// layout of its outputs as MLX's Metal backend would, shares and donates buffers likewise, fills in no value, and adds
// up the kernels that Metal would have launched (metal-rules.h; docs/metal-launches.md). A primitive without a Metal
// implementation, or without a rule, throws, and so does float64.

#include <cxxabi.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>

#include "metal-rules.h"

using namespace dry;

namespace {

struct Tally {
  long primitives = 0, launches = 0;
};
std::mutex lock;
std::map<std::string, Tally> tallies;

std::string class_name(const Primitive& p) {
  int status = 0;
  char* full = abi::__cxa_demangle(typeid(p).name(), nullptr, nullptr, &status);
  std::string name = full ? full : typeid(p).name();
  free(full);
  const std::string prefix = "mlx::core::";
  return name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
}

std::string label(Primitive& p, const std::string& type) {
  if (type == "fast::CustomKernel") return type + " " + std::get<0>(static_cast<fast::CustomKernel&>(p).state());
  return type == p.name() || type == std::string("fast::") + p.name() ? type : type + " " + p.name();
}

void eval(array& arr) {
  auto outputs = arr.outputs();
  auto& p = arr.primitive();
  auto type = class_name(p);
  auto rule = rules().find(type);
  if (rule == rules().end()) throw std::runtime_error("[" + type + "] the dry GPU has no rule for it");
  for (auto& out : outputs) {
    if (out.dtype() == float64) throw std::runtime_error("[" + type + "] float64 is not supported on the GPU");
  }
  Arrays held;  // a tracer keeps its inputs, as in the Metal backend
  if (arr.is_tracer()) held = arr.inputs();
  long launches = rule->second(p, arr.inputs(), outputs);
  std::lock_guard<std::mutex> guard(lock);
  auto& tally = tallies[label(p, type)];
  tally.primitives++;
  tally.launches += launches;
}

bool yes() { return true; }
int one_device() { return 1; }
void stream(Stream) {}
bool on_cpu(Stream s) { return s.device == Device::cpu; }

// Which attention Metal fuses (without NAX, the M5's matrix units).
bool unfused(const array& q, const array& k, const array& v, bool has_mask, bool has_array_mask, bool causal,
             bool training, bool logsumexp, bool force_fused, Stream s) {
  int queries = q.shape(2), keys = k.shape(2), head = q.shape(-1), value = v.shape(-1);
  auto among = [&](std::initializer_list<int> sizes) {
    return head == value && std::find(sizes.begin(), sizes.end(), head) != sizes.end();
  };
  bool fused = s.device == Device::gpu && !logsumexp;
  if (queries > 8) {
    fused &= among({64, 72, 80, 96, 128, 192, 256}) && (!has_mask || has_array_mask || (causal && queries <= keys));
  } else {
    fused &= (among({64, 96, 128, 192, 256}) || (head == 192 && value == 128)) && queries <= keys &&
             queries * (q.shape(1) / k.shape(1)) <= 32;
  }
  if (force_fused) {
    if (!fused) throw std::invalid_argument("[scaled_dot_product_attention] force_fused=True but no fused kernel");
    return false;
  }
  if (training || !fused) return true;
  return queries > 8 ? head == 192 || head == 256 : head == 192 && value == 192;
}

using Info = std::unordered_map<std::string, std::variant<std::string, size_t>>;

const Info& device_info(int) {
  static const Info info = {{"device_name", std::string("dry GPU")},
                            {"architecture", std::string(kArchitecture)},
                            {"memory_size", size_t(128) << 30},
                            {"max_buffer_length", size_t(96) << 30},
                            {"max_recommended_working_set_size", size_t(96) << 30},
                            {"resource_limit", size_t(499000)}};
  return info;
}

__attribute__((constructor)) void install() {
  replace("_ZN3mlx4core3gpu12is_availableEv", yes);
  replace("_ZN3mlx4core3gpu12device_countEv", one_device);
  replace("_ZN3mlx4core3gpu11device_infoB5cxx11Ei", device_info);
  replace("_ZN3mlx4core5metal12is_availableEv", yes);
  replace("_ZN3mlx4core3gpu10new_streamENS0_6StreamE", stream);
  replace("_ZN3mlx4core3gpu24new_thread_unsafe_streamENS0_6StreamE", stream);
  replace("_ZN3mlx4core3gpu8finalizeENS0_6StreamE", stream);
  replace("_ZN3mlx4core3gpu11synchronizeENS0_6StreamE", stream);
  replace("_ZN3mlx4core3gpu4evalERNS0_5arrayE", eval);
  replace("_ZN3mlx4core4fast7RMSNorm12use_fallbackENS0_6StreamE", on_cpu);
  replace("_ZN3mlx4core4fast9LayerNorm12use_fallbackENS0_6StreamE", on_cpu);
  replace("_ZN3mlx4core4fast4RoPE12use_fallbackENS0_6StreamE", on_cpu);
  replace("_ZN3mlx4core4fast25ScaledDotProductAttention12use_fallbackERKNS0_5arrayES5_S5_bbbbbbNS0_6StreamE", unfused);
  replace("_ZN3mlx4core4fast25ScaledDotProductAttention18supports_bool_maskEv", yes);
}

}  // namespace

// For the process that is measured (ctypes, FFM).

// Forgets what was counted.
extern "C" void dry_gpu_reset() {
  std::lock_guard<std::mutex> guard(lock);
  tallies.clear();
}

// Lines "primitive TAB how many TAB launches".
extern "C" const char* dry_gpu_report() {
  static std::string text;
  std::lock_guard<std::mutex> guard(lock);
  std::ostringstream lines;
  for (auto& [name, tally] : tallies) lines << name << '\t' << tally.primitives << '\t' << tally.launches << '\n';
  text = lines.str();
  return text.c_str();
}
