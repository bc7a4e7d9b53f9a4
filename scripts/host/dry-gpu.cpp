// A GPU that computes nothing and counts. For tests and scripts/bench-host; Linux on x86-64, MLX 0.32.2 from its wheel.
//
// Preloaded (LD_PRELOAD) into a process that uses libmlx.so, it makes MLX believe in a Metal GPU: GPU streams can be
// made, the `fast` operations stay single primitives, compiled functions are fused, and "evaluating" an array decides the
// layout of its outputs as MLX's Metal backend would, shares and donates buffers likewise, fills in no value, and adds
// up the kernels that Metal would have launched. The rules, one per primitive, are those of docs/metal-launches.md.
// A primitive without a Metal implementation, or without a rule here, throws, and so does float64.
//
// MLX's own no-GPU functions are hidden symbols that no preloading can replace, so their first bytes are overwritten
// with a jump, found through the symbol table that the wheel's library still carries.

#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>

#include "mlx/backend/common/binary.h"
#include "mlx/backend/common/copy.h"
#include "mlx/backend/common/reduce.h"
#include "mlx/backend/common/ternary.h"
#include "mlx/backend/common/unary.h"
#include "mlx/backend/common/utils.h"
#include "mlx/fast_primitives.h"
#include "mlx/primitives.h"

using namespace mlx::core;

namespace {

// The machine that is imitated: an M4 Max, whose generation and size choose between kernels in a few rules.
constexpr const char* kArchitecture = "applegpu_g16s";
constexpr int kTwoPassKeys = 1024;  // sdpa_vector: from here on two passes ("s" and "d"; else 4096)
constexpr int kSplitKTiles = 2048;  // matmul: split-K up to so many 16 x 16 tiles ("s" and "d"; else 1024)

int quantized_vector_limit(int k, int n) {  // rows from which quantized_matmul is matrix by matrix; generations 15, 16
  return (k > 2048 || n > 2048) && k <= 4096 && n <= 4096 ? 15 : 13;
}

// ---- hidden functions of libmlx.so ---------------------------------------------------------------------------------

struct Library {
  std::string path;
  uintptr_t base = 0;
  std::map<std::string, uintptr_t> symbols;
};

int find_mlx(dl_phdr_info* info, size_t, void* out) {
  if (!strstr(info->dlpi_name, "libmlx.so")) return 0;
  auto* library = static_cast<Library*>(out);
  library->path = info->dlpi_name;
  library->base = info->dlpi_addr;
  return 1;
}

const Library& mlx_library() {
  static const Library library = [] {
    Library l;
    dl_iterate_phdr(find_mlx, &l);
    std::ifstream file(l.path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    if (bytes.empty()) return l;
    auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
    auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes.data() + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
      if (sections[i].sh_type != SHT_SYMTAB) continue;
      const char* names = bytes.data() + sections[sections[i].sh_link].sh_offset;
      auto* symbol = reinterpret_cast<const Elf64_Sym*>(bytes.data() + sections[i].sh_offset);
      for (size_t n = sections[i].sh_size / sizeof(Elf64_Sym); n > 0; n--, symbol++) {
        if (symbol->st_value) l.symbols[names + symbol->st_name] = l.base + symbol->st_value;
      }
    }
    return l;
  }();
  return library;
}

uintptr_t hidden(const char* name) {
  auto& symbols = mlx_library().symbols;
  auto found = symbols.find(name);
  if (found == symbols.end()) {
    fprintf(stderr, "dry-gpu: no symbol %s in '%s'; it needs libmlx.so of MLX 0.32.2's wheel\n", name,
            mlx_library().path.c_str());
    _exit(1);
  }
  return found->second;
}

template <typename F>
void replace(const char* name, F* function) {
  auto* at = reinterpret_cast<unsigned char*>(hidden(name));
  auto target = reinterpret_cast<uintptr_t>(function);
  const uintptr_t page = sysconf(_SC_PAGESIZE);
  auto start = reinterpret_cast<uintptr_t>(at) & ~(page - 1);
  mprotect(reinterpret_cast<void*>(start), 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
  const unsigned char load[2] = {0x48, 0xB8}, jump[2] = {0xFF, 0xE0};  // mov rax, target; jmp rax
  memcpy(at, load, 2);
  memcpy(at + 2, &target, 8);
  memcpy(at + 10, jump, 2);
  mprotect(reinterpret_cast<void*>(start), 2 * page, PROT_READ | PROT_EXEC);
}

// ---- layouts ---------------------------------------------------------------------------------------------------------

using Arrays = std::vector<array>;

void allocate(array& out) { out.set_data(allocator::malloc(out.nbytes())); }

long copy(const array& in, array& out, CopyType type) {  // a copy whose output may be the donated input
  if (set_copy_output_data(in, out, type) && in.dtype() == out.dtype()) return 0;
  return out.size() > 0;
}

CopyType whole(const array& x) { return x.flags().contiguous ? CopyType::Vector : CopyType::General; }

long need_rows(const array& x) { return !x.flags().row_contiguous; }

long need_matrix(const array& x) {  // the last two axes must be one row-major block
  if (x.ndim() < 2) return x.strides()[0] != 1;
  return !(x.strides(-2) == x.shape(-1) && x.strides(-1) == 1);
}

long need_matmul_strides(const array& x, bool vector) {  // row-major or transposed
  auto rows = x.strides(-2), columns = x.strides(-1);
  bool plain = columns == 1 && (!vector || rows == x.shape(-1));
  bool transposed = rows == 1 && (!vector || columns == x.shape(-2));
  return !plain && !transposed;
}

void like(const array& x, array& out) {  // the input's buffer if it is given away, else its layout
  if (x.is_donatable()) {
    out.copy_shared_buffer(x);
  } else {
    out.set_data(allocator::malloc(x.data_size() * x.itemsize()), x.data_size(), x.strides(), x.flags());
  }
}

// ---- rules: launches of one primitive, and the layout of its outputs --------------------------------------------------

using Rule = long (*)(Primitive&, const Arrays&, Arrays&);

long view(Primitive& p, const Arrays& in, Arrays& out) {
  p.eval_cpu(in, out);  // MLX's own code: metadata only
  return 0;
}

long reshape(Primitive& p, const Arrays& in, Arrays& out) {
  using Prepare = std::pair<bool, Strides>(const array&, const array&);
  static auto* prepare = reinterpret_cast<Prepare*>(hidden("_ZN3mlx4core15prepare_reshapeERKNS0_5arrayES3_"));
  if (!prepare(in[0], out[0]).first) return view(p, in, out);
  allocate(out[0]);
  return 1;
}

long view_as(Primitive& p, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  auto from = x.itemsize(), to = out[0].itemsize();
  if (from == to || (to < from && x.strides().back() == 1) || x.flags().row_contiguous) return view(p, in, out);
  allocate(out[0]);
  return 1;
}

long contiguous(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  if (x.flags().row_contiguous && x.buffer_size() <= out[0].nbytes() + 16384) {
    out[0].copy_shared_buffer(x);
    return 0;
  }
  allocate(out[0]);
  return 1;
}

long as_type(Primitive&, const Arrays& in, Arrays& out) { return copy(in[0], out[0], whole(in[0])); }

long full(Primitive&, const Arrays& in, Arrays& out) {
  return copy(in[0], out[0], in[0].data_size() == 1 ? CopyType::Scalar : whole(in[0]));
}

long unary(Primitive&, const Arrays& in, Arrays& out) {
  set_unary_output_data(in[0], out[0]);
  return in[0].size() > 0;
}

long binary(Primitive&, const Arrays& in, Arrays& out) {
  for (auto& o : out) set_binary_op_output_data(in[0], in[1], o, get_binary_op_type(in[0], in[1]));
  return out[0].size() > 0;
}

long select(Primitive&, const Arrays& in, Arrays& out) {
  set_ternary_op_output_data(in[0], in[1], in[2], out[0], get_ternary_op_type(in[0], in[1], in[2]));
  return out[0].size() > 0;
}

long one(Primitive&, const Arrays&, Arrays& out) {
  for (auto& o : out) allocate(o);
  return out[0].size() > 0;
}

long two(Primitive&, const Arrays&, Arrays& out) {
  allocate(out[0]);
  return 2;
}

long compiled(Primitive&, const Arrays& in, Arrays& out) {
  using Constant = std::function<bool(size_t)>;
  using Collapse = std::tuple<bool, bool, Shape, std::vector<Strides>>(const Arrays&, const array&, const Constant&);
  using Malloc = std::function<allocator::Buffer(size_t)>;
  using Allocate = void(const Arrays&, Arrays&, const Constant&, bool, const Malloc&);
  static auto* collapse = reinterpret_cast<Collapse*>(hidden(
      "_ZN3mlx4core33compiled_collapse_contiguous_dimsERKSt6vectorINS0_5arrayESaIS2_EERKS2_RKSt8functionIFbmEE"));
  static auto* allocate_outputs = reinterpret_cast<Allocate*>(hidden(
      "_ZN3mlx4core25compiled_allocate_outputsERKSt6vectorINS0_5arrayESaIS2_EERS4_RKSt8functionIFbmEEbRKS8_IFNS0_"
      "9allocator6BufferEmEE"));
  Constant constant = [&](size_t i) { return in[i].ndim() == 0; };
  bool contiguous = std::get<0>(collapse(in, out[0], constant));
  allocate_outputs(in, out, constant, contiguous, allocator::malloc);
  return 1;
}

long concatenate(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  long launches = 0;
  for (auto& x : in) launches += x.size() > 0;
  return launches;
}

long slice_update(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  if (in[1].size() == 0) {
    out[0].copy_shared_buffer(x);
    return 0;
  }
  bool dense = x.flags().contiguous && x.size() == x.data_size();
  auto type = x.data_size() == 1 ? CopyType::Scalar : dense ? CopyType::Vector : CopyType::General;
  return copy(x, out[0], type) + 1;
}

long dynamic_slice_update(Primitive& p, const Arrays& in, Arrays& out) {
  return slice_update(p, in, out) + 1;  // and a kernel that computes the offset
}

long scatter(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  auto type = x.data_size() == 1 ? CopyType::Scalar : x.flags().row_contiguous ? CopyType::Vector : CopyType::General;
  return copy(x, out[0], type) + (in.back().size() > 0);
}

long rms_norm(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  bool rows = x.flags().contiguous && x.strides(-1) == 1;
  if (rows && x.ndim() > 1) {
    auto stride = x.strides(-2);
    rows = stride == 0 || stride == x.shape(-1) || x.shape(-2) == 1;
  }
  if (rows) {
    like(x, out[0]);
    return 1;
  }
  allocate(out[0]);
  return 2;
}

long softmax(Primitive&, const Arrays& in, Arrays& out) {
  if (in[0].flags().contiguous && in[0].strides(-1) == 1) {
    like(in[0], out[0]);
    return 1;
  }
  allocate(out[0]);
  return 2;
}

long log_sum_exp(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  return 1 + !(in[0].flags().contiguous && in[0].strides(-1) == 1);
}

long rope(Primitive& p, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  int dims = std::get<1>(static_cast<fast::RoPE&>(p).state());
  int last = x.ndim() - 1;
  if (dims < x.shape(last)) {  // part of each head: the whole is copied first, unless the input is given away
    return copy(x, out[0], x.flags().row_contiguous ? CopyType::Vector : CopyType::General) + 1;
  }
  if (x.flags().row_contiguous && x.is_donatable()) {
    out[0].copy_shared_buffer(x);
    return 1;
  }
  allocate(out[0]);
  if (x.flags().row_contiguous) return 1;
  int significant = x.ndim();
  while (significant > 3 && x.shape(x.ndim() - significant) == 1) significant--;
  int64_t heads = x.ndim() == 4 ? x.shape(1) : 1, tokens = x.shape(last - 1), size = x.shape(last);
  bool transposed = x.ndim() == 4 && x.strides(0) == tokens * heads * size && x.strides(1) == size &&
                    x.strides(2) == heads * size;
  return significant == 3 || transposed ? 1 : 2;
}

long attention(Primitive& p, const Arrays& in, Arrays& out) {
  auto &q = in[0], &k = in[1], &v = in[2];
  bool sinks = std::get<3>(static_cast<fast::ScaledDotProductAttention&>(p).state());
  bool masked = in.size() > 3u + sinks;
  long launches = sinks && in.back().strides(-1) != 1;
  int queries = q.shape(2);
  if (queries > 8) {
    for (int i = 0; i < 3 + masked; i++) launches += in[i].strides(-1) != 1;
    int64_t head = out[0].shape(3), token = out[0].shape(1) * head, batch = out[0].shape(2) * token;
    out[0].set_data(allocator::malloc(out[0].nbytes()), out[0].size(), {batch, head, token, 1}, {true, false, false});
    return launches + 1;
  }
  bool query_copied = !q.flags().row_contiguous;
  if (query_copied && (q.shape(0) == 1 || q.shape(1) == 1)) {
    int i = q.shape(0) == 1 ? 1 : 0;
    query_copied = !(q.strides(3) == 1 && q.strides(2) == int64_t(q.shape(3)) * q.shape(i) && q.strides(i) == q.shape(3));
  }
  launches += query_copied;
  for (auto* x : {&k, &v}) {
    bool usable = x->strides(-1) == 1 && (x->shape(0) == 1 || x->shape(1) == 1 || x->strides(0) == x->strides(1) * x->shape(1));
    launches += !usable;
  }
  if (masked) {
    auto& m = in[3];
    bool usable = m.flags().row_contiguous || q.shape(0) == 1 || q.shape(1) == 1 || m.strides(0) == m.strides(1) * m.shape(1);
    launches += !usable;
  }
  if (!query_copied && q.is_donatable() && q.flags().row_contiguous && q.size() == out[0].size()) {
    out[0].copy_shared_buffer(q);
  } else {
    allocate(out[0]);
  }
  bool two_passes = k.shape(2) >= kTwoPassKeys;
  return launches + (two_passes ? 2 : 1);
}

long reduce(Primitive& p, const Arrays& in, Arrays& out) {
  using Plan = ReductionPlan(const array&, const std::vector<int>&);
  static auto* plan_of =
      reinterpret_cast<Plan*>(hidden("_ZN3mlx4core18get_reduction_planERKNS0_5arrayERKSt6vectorIiSaIiEE"));
  auto& x = in[0];
  if (x.size() > 0 && out[0].size() == x.size()) return copy(x, out[0], whole(x));
  allocate(out[0]);
  if (x.size() == 0) return 1;
  auto axes = static_cast<Reduce&>(p).state().second;
  auto plan = plan_of(x, axes);
  long launches = 1;
  if (plan.type == GeneralReduce) {
    array rows(x.shape(), x.dtype(), nullptr, {});
    allocate(rows);
    plan = plan_of(rows, axes);
    launches++;
  }
  long reduced = 1;  // elements per output
  for (auto n : plan.shape) reduced *= n;
  if (plan.type == ContiguousAllReduce) return launches + (x.size() > 4096);
  if (plan.type == ContiguousReduce || plan.type == GeneralContiguousReduce) return launches;
  bool long_columns = plan.strides.back() < 32 && reduced >= 1024;
  bool few_columns = reduced > 256 && out[0].size() / 32 < 1024;
  return launches + (long_columns || few_columns);
}

long scan(Primitive& p, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  int axis = std::get<1>(static_cast<Scan&>(p).state());
  if (!x.flags().contiguous || x.strides(axis) == 0) {
    allocate(out[0]);
    return 2;
  }
  if (x.is_donatable() && x.itemsize() == out[0].itemsize()) {
    out[0].copy_shared_buffer(x);
  } else {
    out[0].set_data(allocator::malloc(x.data_size() * out[0].itemsize()), x.data_size(), x.strides(), x.flags());
  }
  return 1;
}

long sort_along(const array& x, int axis, array& out) {
  allocate(out);
  int block = x.itemsize() > 4 ? 1024 : 2048;
  int blocks = (x.shape(axis) + block - 1) / block;
  long launches = 1;
  if (blocks > 1) {
    launches++;  // the copy at the end
    for (int merged = 1; merged < blocks; merged *= 2) launches += 2;
  }
  return launches;
}

long sort(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<Sort&>(p).state(), out[0]);
}

long arg_sort(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<ArgSort&>(p).state(), out[0]);
}

long arg_partition(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<ArgPartition&>(p).state().second, out[0]);
}

long partition(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<Partition&>(p).state().second, out[0]);
}

long matmul(Primitive&, const Arrays& in, Arrays& out) {
  auto &a = in[0], &b = in[1];
  allocate(out[0]);
  int64_t m = a.shape(-2), n = b.shape(-1), k = a.shape(-1);
  long copies = need_matmul_strides(a, m == 1) + need_matmul_strides(b, n == 1);
  int64_t batch = out[0].size() / (m * n);
  if (batch > 1 && a.flags().row_contiguous && int64_t(b.data_size()) <= k * n) {  // one matrix for all: rows join
    m *= batch;
    batch = 1;
  }
  if (m == 1 && n == 1 && batch == 1 && a.flags().row_contiguous && b.flags().row_contiguous) return copies + 3;
  bool wide = out[0].itemsize() == 2 && m > 1 && m <= 15 && n > 1 && k % 4 == 0 && b.strides(-2) == 1 && b.strides(-1) != 1;
  if (wide || std::min(m, n) == 1) return copies + 1;
  bool split = batch == 1 && ((m + 15) / 16) * ((n + 15) / 16) <= kSplitKTiles && k / 16 >= 8 && k >= std::max(m, n);
  return copies + 1 + split;
}

long gather_mm(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  return 1 + need_matmul_strides(in[0], in[0].shape(-2) == 1) + need_matmul_strides(in[1], in[1].shape(-1) == 1);
}

long quantize(Primitive& p, const Arrays& in, Arrays& out) {  // and back
  long launches = one(p, in, out);
  for (auto& x : in) launches += x.ndim() > 0 && need_rows(x);
  return launches;
}

long quantized_matmul(Primitive& p, const Arrays& in, Arrays& out) {
  auto [group, bits, mode, transpose] = static_cast<QuantizedMatmul&>(p).state();
  allocate(out[0]);
  long launches = 1;
  for (size_t i = 0; i < in.size(); i++) launches += need_matrix(in[i]);
  auto& x = in[0];
  int k = x.shape(-1), n = out[0].shape(-1);
  int m = in[1].ndim() == 2 && (x.flags().row_contiguous || need_matrix(x)) ? x.size() / k : x.shape(-2);
  if (!transpose) return launches + (m < 4 && k >= 1024);
  if (m < quantized_vector_limit(k, n) || out[0].size() / m / n != 1) return launches;
  int align = std::max(group, 32);
  int split = std::min(std::max(1, 512 / (((n + 31) / 32) * ((m + 31) / 32))), k / align);
  while (split > 1 && k % (split * align) != 0) split--;
  return launches + (split > 1);
}

long gather_qmm(Primitive& p, const Arrays& in, Arrays& out) {
  auto [group, bits, mode, transpose, left_sorted, right_sorted] = static_cast<GatherQMM&>(p).state();
  allocate(out[0]);
  auto &x = in[0], &w = in[1];
  long launches = 1;
  for (size_t i = 0; i < in.size() - 2; i++) launches += need_matrix(in[i]);
  int64_t m = x.shape(-2), rows = out[0].size() / m / out[0].shape(-1), experts = w.size() / w.shape(-1) / w.shape(-2);
  if (m == 1 && rows >= 16 && right_sorted && rows / experts >= 4) {
    launches += need_rows(in.back());
    launches += x.size() / x.shape(-1) != in.back().size() || (need_rows(x) && !need_matrix(x));
  }
  return launches;
}

long convolution(Primitive&, const Arrays& in, Arrays& out) {
  if (in[0].ndim() != 3 || in[1].shape(2) != 1 || in[0].shape(2) != in[1].shape(0)) {
    throw std::runtime_error("[Convolution] the dry GPU has a rule for the depthwise one in 1-D only");
  }
  allocate(out[0]);
  return 1 + need_rows(in[0]) + need_rows(in[1]);
}

long custom_kernel(Primitive& p, const Arrays& in, Arrays& out) {
  auto state = static_cast<fast::CustomKernel&>(p).state();
  long launches = 1;
  if (std::get<6>(state)) launches += out.size();  // an initial value fills every output
  if (std::get<5>(state)) {
    for (auto& x : in) launches += need_rows(x);
  }
  for (auto& o : out) allocate(o);
  return launches;
}

[[noreturn]] long none(Primitive& p, const Arrays&, Arrays&) {
  throw std::runtime_error(std::string("[") + p.name() + "] has no Metal implementation");
}

const std::map<std::string, Rule>& rules() {
  static const std::map<std::string, Rule> table = [] {
    std::map<std::string, Rule> t;
    auto all = [&](Rule rule, std::initializer_list<const char*> names) {
      for (auto* name : names) t[name] = rule;
    };
    all(view, {"AsStrided", "Broadcast", "BroadcastAxes", "Copy", "CustomTransforms", "Depends", "ExpandDims",
               "NumberOfElements", "Slice", "Split", "Squeeze", "StopGradient", "Synchronizer", "Transpose"});
    all(reshape, {"Flatten", "Reshape", "Unflatten"});
    all(unary, {"Abs", "ArcCos", "ArcCosh", "ArcSin", "ArcSinh", "ArcTan", "ArcTanh", "BitwiseInvert", "Ceil",
                "Conjugate", "Cos", "Cosh", "Erf", "ErfInv", "Exp", "Expm1", "Floor", "Imag", "Log", "Log1p",
                "LogicalNot", "Negative", "Real", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Square", "Tan",
                "Tanh"});
    all(binary, {"Add", "ArcTan2", "BitwiseBinary", "Divide", "DivMod", "Equal", "Greater", "GreaterEqual", "Less",
                 "LessEqual", "LogAddExp", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Multiply", "NotEqual",
                 "Power", "Remainder", "Subtract"});
    all(one, {"Arange", "ArgReduce", "Gather", "GatherAxis", "RandomBits"});
    all(two, {"DynamicSlice", "Pad"});
    all(scatter, {"Scatter", "ScatterAxis"});
    all(matmul, {"AddMM", "Matmul"});
    all(none, {"Cholesky", "Eig", "Eigh", "Inverse", "Load", "LUF", "QRF", "SVD"});
    t["ArgPartition"] = arg_partition;
    t["ArgSort"] = arg_sort;
    t["AsType"] = as_type;
    t["Compiled"] = compiled;
    t["Concatenate"] = concatenate;
    t["Contiguous"] = contiguous;
    t["Convolution"] = convolution;
    t["DynamicSliceUpdate"] = dynamic_slice_update;
    t["Full"] = full;
    t["GatherMM"] = gather_mm;
    t["GatherQMM"] = gather_qmm;
    t["LogSumExp"] = log_sum_exp;
    t["Partition"] = partition;
    t["QuantizedMatmul"] = quantized_matmul;
    t["Reduce"] = reduce;
    t["Scan"] = scan;
    t["Select"] = select;
    t["SliceUpdate"] = slice_update;
    t["Softmax"] = softmax;
    t["Sort"] = sort;
    t["View"] = view_as;
    t["fast::ConvertFP8"] = unary;
    t["fast::CustomKernel"] = custom_kernel;
    t["fast::LayerNorm"] = softmax;
    t["fast::Quantize"] = quantize;
    t["fast::RMSNorm"] = rms_norm;
    t["fast::RoPE"] = rope;
    t["fast::ScaledDotProductAttention"] = attention;
    return t;
  }();
  return table;
}

// ---- what was evaluated ------------------------------------------------------------------------------------------------

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

// ---- the replaced functions ----------------------------------------------------------------------------------------------

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

// Face for the process that is measured (ctypes, FFM): forget what was counted; "PRIMITIVE \t how many \t launches" lines.
extern "C" void dry_gpu_reset() {
  std::lock_guard<std::mutex> guard(lock);
  tallies.clear();
}

extern "C" const char* dry_gpu_report() {
  static std::string text;
  std::lock_guard<std::mutex> guard(lock);
  std::ostringstream lines;
  for (auto& [name, tally] : tallies) lines << name << '\t' << tally.primitives << '\t' << tally.launches << '\n';
  text = lines.str();
  return text.c_str();
}
