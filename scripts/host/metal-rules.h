// The kernels that MLX 0.32.2's Metal backend launches for a primitive, and the layout that it gives to the outputs:
// one rule per primitive, in words in backend-mlx/src/test/resources/dev/qnext/mlx/metal-primitives.csv. A rule gives
// the outputs memory, shares and donates buffers as Metal's code does, and computes nothing.
#pragma once

#include <map>
#include <string>

#include "mlx-symbols.h"
#include "mlx/backend/common/binary.h"
#include "mlx/backend/common/copy.h"
#include "mlx/backend/common/reduce.h"
#include "mlx/backend/common/ternary.h"
#include "mlx/backend/common/unary.h"
#include "mlx/backend/common/utils.h"
#include "mlx/fast_primitives.h"
#include "mlx/primitives.h"

namespace dry {

using namespace mlx::core;

// The machine that is imitated: an M4 Max, whose generation and size choose between kernels in a few rules.
constexpr const char* kArchitecture = "applegpu_g16s";
constexpr int kTwoPassKeys = 1024;  // sdpa_vector: from here on two passes ("s" and "d"; else 4096)
constexpr int kSplitKTiles = 2048;  // matmul: split-K up to so many 16 x 16 tiles ("s" and "d"; else 1024)

// Rows from which quantized_matmul is matrix by matrix, on generations 15 and 16.
inline int quantized_vector_limit(int k, int n) {
  return (k > 2048 || n > 2048) && k <= 4096 && n <= 4096 ? 15 : 13;
}

// ---- layouts

using Arrays = std::vector<array>;

inline void allocate(array& out) { out.set_data(allocator::malloc(out.nbytes())); }

inline long copy(const array& in, array& out, CopyType type) {  // a copy whose output may be the donated input
  if (set_copy_output_data(in, out, type) && in.dtype() == out.dtype()) return 0;
  return out.size() > 0;
}

inline CopyType whole(const array& x) { return x.flags().contiguous ? CopyType::Vector : CopyType::General; }

inline long need_rows(const array& x) { return !x.flags().row_contiguous; }

inline long need_matrix(const array& x) {  // the last two axes must be one row-major block
  if (x.ndim() < 2) return x.strides()[0] != 1;
  return !(x.strides(-2) == x.shape(-1) && x.strides(-1) == 1);
}

inline long need_matmul_strides(const array& x, bool vector) {  // row-major or transposed
  auto rows = x.strides(-2), columns = x.strides(-1);
  bool plain = columns == 1 && (!vector || rows == x.shape(-1));
  bool transposed = rows == 1 && (!vector || columns == x.shape(-2));
  return !plain && !transposed;
}

inline void like(const array& x, array& out) {  // the input's buffer if it is given away, else its layout
  if (x.is_donatable()) {
    out.copy_shared_buffer(x);
  } else {
    out.set_data(allocator::malloc(x.data_size() * x.itemsize()), x.data_size(), x.strides(), x.flags());
  }
}

// ---- rules: launches of one primitive, and the layout of its outputs

using Rule = long (*)(Primitive&, const Arrays&, Arrays&);

inline long view(Primitive& p, const Arrays& in, Arrays& out) {
  p.eval_cpu(in, out);  // MLX's own code: metadata only
  return 0;
}

inline long reshape(Primitive& p, const Arrays& in, Arrays& out) {
  using Prepare = std::pair<bool, Strides>(const array&, const array&);
  static auto* prepare = reinterpret_cast<Prepare*>(hidden("_ZN3mlx4core15prepare_reshapeERKNS0_5arrayES3_"));
  if (!prepare(in[0], out[0]).first) return view(p, in, out);
  allocate(out[0]);
  return 1;
}

inline long view_as(Primitive& p, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  auto from = x.itemsize(), to = out[0].itemsize();
  if (from == to || (to < from && x.strides().back() == 1) || x.flags().row_contiguous) return view(p, in, out);
  allocate(out[0]);
  return 1;
}

inline long contiguous(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  if (x.flags().row_contiguous && x.buffer_size() <= out[0].nbytes() + 16384) {
    out[0].copy_shared_buffer(x);
    return 0;
  }
  allocate(out[0]);
  return 1;
}

inline long as_type(Primitive&, const Arrays& in, Arrays& out) { return copy(in[0], out[0], whole(in[0])); }

inline long full(Primitive&, const Arrays& in, Arrays& out) {
  return copy(in[0], out[0], in[0].data_size() == 1 ? CopyType::Scalar : whole(in[0]));
}

inline long unary(Primitive&, const Arrays& in, Arrays& out) {
  set_unary_output_data(in[0], out[0]);
  return in[0].size() > 0;
}

inline long binary(Primitive&, const Arrays& in, Arrays& out) {
  for (auto& o : out) set_binary_op_output_data(in[0], in[1], o, get_binary_op_type(in[0], in[1]));
  return out[0].size() > 0;
}

inline long select(Primitive&, const Arrays& in, Arrays& out) {
  set_ternary_op_output_data(in[0], in[1], in[2], out[0], get_ternary_op_type(in[0], in[1], in[2]));
  return out[0].size() > 0;
}

inline long one(Primitive&, const Arrays&, Arrays& out) {
  for (auto& o : out) allocate(o);
  return out[0].size() > 0;
}

inline long two(Primitive&, const Arrays&, Arrays& out) {
  allocate(out[0]);
  return 2;
}

inline long compiled(Primitive&, const Arrays& in, Arrays& out) {
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

inline long concatenate(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  long launches = 0;
  for (auto& x : in) launches += x.size() > 0;
  return launches;
}

inline long slice_update(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  if (in[1].size() == 0) {
    out[0].copy_shared_buffer(x);
    return 0;
  }
  bool dense = x.flags().contiguous && x.size() == x.data_size();
  auto type = x.data_size() == 1 ? CopyType::Scalar : dense ? CopyType::Vector : CopyType::General;
  return copy(x, out[0], type) + 1;
}

inline long dynamic_slice_update(Primitive& p, const Arrays& in, Arrays& out) {
  return slice_update(p, in, out) + 1;  // and a kernel that computes the offset
}

inline long scatter(Primitive&, const Arrays& in, Arrays& out) {
  auto& x = in[0];
  auto type = x.data_size() == 1 ? CopyType::Scalar : x.flags().row_contiguous ? CopyType::Vector : CopyType::General;
  return copy(x, out[0], type) + (in.back().size() > 0);
}

inline long rms_norm(Primitive&, const Arrays& in, Arrays& out) {
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

inline long softmax(Primitive&, const Arrays& in, Arrays& out) {
  if (in[0].flags().contiguous && in[0].strides(-1) == 1) {
    like(in[0], out[0]);
    return 1;
  }
  allocate(out[0]);
  return 2;
}

inline long log_sum_exp(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  return 1 + !(in[0].flags().contiguous && in[0].strides(-1) == 1);
}

inline long rope(Primitive& p, const Arrays& in, Arrays& out) {
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

inline long attention(Primitive& p, const Arrays& in, Arrays& out) {
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
    int64_t row = q.shape(3);
    query_copied = !(q.strides(3) == 1 && q.strides(2) == row * q.shape(i) && q.strides(i) == row);
  }
  launches += query_copied;
  auto heads_join = [](const array& shape, const array& x) {  // batch and head are one axis
    return shape.shape(0) == 1 || shape.shape(1) == 1 || x.strides(0) == x.strides(1) * x.shape(1);
  };
  for (auto* x : {&k, &v}) launches += !(x->strides(-1) == 1 && heads_join(*x, *x));
  if (masked) launches += !(in[3].flags().row_contiguous || heads_join(q, in[3]));
  if (!query_copied && q.is_donatable() && q.flags().row_contiguous && q.size() == out[0].size()) {
    out[0].copy_shared_buffer(q);
  } else {
    allocate(out[0]);
  }
  bool two_passes = k.shape(2) >= kTwoPassKeys;
  return launches + (two_passes ? 2 : 1);
}

inline long reduce(Primitive& p, const Arrays& in, Arrays& out) {
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

inline long scan(Primitive& p, const Arrays& in, Arrays& out) {
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

inline long sort_along(const array& x, int axis, array& out) {
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

inline long sort(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<Sort&>(p).state(), out[0]);
}

inline long arg_sort(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<ArgSort&>(p).state(), out[0]);
}

inline long arg_partition(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<ArgPartition&>(p).state().second, out[0]);
}

inline long partition(Primitive& p, const Arrays& in, Arrays& out) {
  return sort_along(in[0], static_cast<Partition&>(p).state().second, out[0]);
}

inline long matmul(Primitive&, const Arrays& in, Arrays& out) {
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
  bool transposed = b.strides(-2) == 1 && b.strides(-1) != 1;
  bool wide = out[0].itemsize() == 2 && m > 1 && m <= 15 && n > 1 && k % 4 == 0 && transposed;
  if (wide || std::min(m, n) == 1) return copies + 1;
  bool split = batch == 1 && ((m + 15) / 16) * ((n + 15) / 16) <= kSplitKTiles && k / 16 >= 8 && k >= std::max(m, n);
  return copies + 1 + split;
}

inline long gather_mm(Primitive&, const Arrays& in, Arrays& out) {
  allocate(out[0]);
  return 1 + need_matmul_strides(in[0], in[0].shape(-2) == 1) + need_matmul_strides(in[1], in[1].shape(-1) == 1);
}

inline long quantize(Primitive& p, const Arrays& in, Arrays& out) {  // and back
  long launches = one(p, in, out);
  for (auto& x : in) launches += x.ndim() > 0 && need_rows(x);
  return launches;
}

inline long quantized_matmul(Primitive& p, const Arrays& in, Arrays& out) {
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

inline long gather_qmm(Primitive& p, const Arrays& in, Arrays& out) {
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

inline long convolution(Primitive&, const Arrays& in, Arrays& out) {
  if (in[0].ndim() != 3 || in[1].shape(2) != 1 || in[0].shape(2) != in[1].shape(0)) {
    throw std::runtime_error("[Convolution] the dry GPU has a rule for the depthwise one in 1-D only");
  }
  allocate(out[0]);
  return 1 + need_rows(in[0]) + need_rows(in[1]);
}

inline long custom_kernel(Primitive& p, const Arrays& in, Arrays& out) {
  auto state = static_cast<fast::CustomKernel&>(p).state();
  long launches = 1;
  if (std::get<6>(state)) launches += out.size();  // an initial value fills every output
  if (std::get<5>(state)) {
    for (auto& x : in) launches += need_rows(x);
  }
  for (auto& o : out) allocate(o);
  return launches;
}

[[noreturn]] inline long none(Primitive& p, const Arrays&, Arrays&) {
  throw std::runtime_error(std::string("[") + p.name() + "] has no Metal implementation");
}

inline const std::map<std::string, Rule>& rules() {
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

}  // namespace dry
