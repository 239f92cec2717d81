// Rows of logits compared on a card: one block of 128 threads for each pair of rows. A thread is one of the
// 16 lanes of one group of 128 elements; it adds the group's eight terms in float32, then the groups are
// added in their order in float64 and the lanes in a fixed tree. That is the order of metrics_kernel.h, so
// the bits are the same. Rows of up to 1024 classes stay in registers; longer ones are read once more for
// each pass.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "metrics/metrics_terms.h"

namespace critmap::cuda {
namespace {

constexpr int lanes = 16, steps = 8, groups = 8;
constexpr unsigned block_threads = lanes * groups, warps = block_threads / 32;
constexpr uint32_t tile = block_threads * steps;
constexpr unsigned everyone = 0xffffffffu;

struct Best {
  float value;
  uint32_t at;
};

struct Tops {
  Best original, changed;
  uint32_t magnitude;
  // Logits above the label's, and equal ones before it.
  uint32_t above;
};

struct Shared {
  Tops tops[warps];
  // By sum, group and lane; the 16 between two sums keep them in different banks.
  float narrow[distance_sums][block_threads + 16];
  double weights[weight_sums], distances[distance_sums], logarithms[2];
};

// Equal values: the lowest index.
__device__ __forceinline__ Best better(Best a, Best b) {
  return b.value > a.value || (b.value == a.value && b.at < a.at) ? b : a;
}

__device__ __forceinline__ Tops combine(const Tops& a, const Tops& b) {
  return {better(a.original, b.original), better(a.changed, b.changed),
          a.magnitude > b.magnitude ? a.magnitude : b.magnitude, a.above + b.above};
}

__device__ __forceinline__ Tops from_below(const Tops& own, unsigned distance) {
  return {{__shfl_down_sync(everyone, own.original.value, distance),
           __shfl_down_sync(everyone, own.original.at, distance)},
          {__shfl_down_sync(everyone, own.changed.value, distance),
           __shfl_down_sync(everyone, own.changed.at, distance)},
          __shfl_down_sync(everyone, own.magnitude, distance),
          __shfl_down_sync(everyone, own.above, distance)};
}

// The whole block's, in every thread.
__device__ __forceinline__ Tops combine_block(Tops own, Shared& shared) {
  for (unsigned distance = 16; distance >= 1; distance /= 2) own = combine(own, from_below(own, distance));
  if (threadIdx.x % 32 == 0) shared.tops[threadIdx.x / 32] = own;
  __syncthreads();
  Tops all = shared.tops[0];
  for (unsigned warp = 1; warp < warps; warp++) all = combine(all, shared.tops[warp]);
  return all;
}

// One thread's eight elements of a tile.
struct Part {
  uint32_t first, classes;
  float original[steps], changed[steps];
  Weighed<OneLane> weighed[steps];

  __device__ __forceinline__ bool has(int step) const { return first + uint32_t(step) * lanes < classes; }

  __device__ __forceinline__ void load(const float* z, const float* y, uint32_t begin, uint32_t count) {
    first = begin + threadIdx.x / lanes * (lanes * steps) + threadIdx.x % lanes;
    classes = count;
#pragma unroll
    for (int i = 0; i < steps; i++) {
      original[i] = has(i) ? z[first + uint32_t(i) * lanes] : 0.0f;
      changed[i] = has(i) ? y[first + uint32_t(i) * lanes] : 0.0f;
    }
  }

  // `label` is -1 for none, `own` its logit.
  __device__ __forceinline__ void find_tops(Tops& tops, int32_t label, float own) const {
#pragma unroll
    for (int i = 0; i < steps; i++) {
      if (!has(i)) continue;
      const uint32_t at = first + uint32_t(i) * lanes;
      const float z = original[i], y = changed[i];
      const uint32_t size_z = float_bits(z) & 0x7fffffffu, size_y = float_bits(y) & 0x7fffffffu;
      tops = combine(tops, {{z, at}, {y, at}, size_z > size_y ? size_z : size_y, 0});
      if (label >= 0) tops.above += own < y || (own == y && at < uint32_t(label));
    }
  }

  __device__ __forceinline__ void weigh_all(const RowMaxima& top) {
#pragma unroll
    for (int i = 0; i < steps; i++) {
      weighed[i] = weigh<OneLane>(OneLane::set(original[i]), OneLane::set(changed[i]), top);
    }
  }
};

// Adds a tile's sums to `total`, of which thread 16 k + l holds that of sum k and lane l.
template <int K>
__device__ __forceinline__ void add_groups(const Sums<OneLane, K>& sums, Shared& shared, double& total) {
#pragma unroll
  for (int k = 0; k < K; k++) shared.narrow[k][threadIdx.x] = sums.narrow[k].v[0];
  __syncthreads();
  const unsigned k = threadIdx.x / lanes, lane = threadIdx.x % lanes;
  if (k < K) {
    for (unsigned group = 0; group < groups; group++) total += double(shared.narrow[k][group * lanes + lane]);
  }
  __syncthreads();
}

template <int K>
__device__ __forceinline__ void add_lanes(double total, double (&to)[K]) {
  for (unsigned half = lanes / 2; half >= 1; half /= 2) {
    total += __shfl_down_sync(everyone, total, half, lanes);
  }
  if (threadIdx.x % lanes == 0 && threadIdx.x / lanes < K) to[threadIdx.x / lanes] = total;
  __syncthreads();
}

__device__ void write_row(const RowSums& sums, bool labelled, int32_t label, const float* changed,
                          uint32_t above, double* to) {
  const RowMetrics found = row_metrics(sums);
  to[col_cosine] = found.cosine;
  to[col_l1] = found.l1;
  to[col_l2] = found.l2;
  to[col_kl] = found.kl;
  to[col_js] = found.js;
  to[col_agree] = sums.finite && sums.agree;
  to[col_invalid] = !sums.finite;
  to[col_published_cross_entropy] = found.published_cross_entropy;
  const bool counted = sums.finite && label >= 0;
  to[col_top1] = labelled ? double(counted && above == 0) : double(NAN);
  to[col_top5] = labelled ? double(counted && above < 5) : double(NAN);
  to[col_loss] = counted ? label_loss(sums, changed[label]) : double(NAN);
}

// `kept`: a row fits one tile, so what a pass has read and computed is there for the next.
template <bool kept>
__global__ void __launch_bounds__(block_threads)
    compare_kernel(const float* original, const float* changed, uint64_t rows, uint32_t classes,
                   const int32_t* labels, double* out) {
  __shared__ Shared shared;
  for (uint64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* const z = original + row * classes;
    const float* const y = changed + row * classes;
    double* const to = out + row * columns;
    const int32_t label = labels ? labels[row] : -1;

    Part part;
    Tops tops{{-INFINITY, UINT32_MAX}, {-INFINITY, UINT32_MAX}, 0, 0};
    const float own = label >= 0 ? y[label] : 0.0f;
    for (uint32_t begin = 0; begin < classes; begin += tile) {
      part.load(z, y, begin, classes);
      part.find_tops(tops, label, own);
    }
    tops = combine_block(tops, shared);
    const RowMaxima top{tops.original.value, tops.changed.value, tops.magnitude};
    RowSums sums{};
    sums.finite = is_finite(top);
    if (sums.finite) {
      sums.agree = tops.original.at == tops.changed.at;
      sums.top_changed = double(top.changed);
      const float scale = raw_scale(top);
      double total = 0;
      for (uint32_t begin = 0; begin < classes; begin += tile) {
        if constexpr (!kept) part.load(z, y, begin, classes);
        part.weigh_all(top);
        Sums<OneLane, weight_sums> terms;
        terms.begin();
#pragma unroll
        for (int i = 0; i < steps; i++) {
          if (!part.has(i)) continue;
          add_weights<OneLane>(terms, part.weighed[i], OneLane::set(part.changed[i]) * OneLane::set(scale));
        }
        add_groups(terms, shared, total);
      }
      add_lanes(total, shared.weights);
      // In different warps, at the same time.
      if (threadIdx.x == 0) shared.logarithms[0] = logarithm(shared.weights[0]);
      if (threadIdx.x == 32) shared.logarithms[1] = logarithm(shared.weights[1]);
      __syncthreads();
      sums.changed = shared.weights[2] / double(scale);
      sums.changed_times_original = shared.weights[3] / double(scale);
      sums.log_weight_original = shared.logarithms[0];
      sums.log_weight_changed = shared.logarithms[1];
      const RowScales scales =
          row_scales(shared.weights[0], shared.weights[1], sums.log_weight_original, sums.log_weight_changed);
      total = 0;
      for (uint32_t begin = 0; begin < classes; begin += tile) {
        if constexpr (!kept) {
          part.load(z, y, begin, classes);
          part.weigh_all(top);
        }
        Sums<OneLane, distance_sums> terms;
        terms.begin();
#pragma unroll
        for (int i = 0; i < steps; i++) {
          if (!part.has(i)) continue;
          const Weighed<OneLane>& element = part.weighed[i];
          add_distances<OneLane>(terms, element.original, element.changed, element.gap, scales);
        }
        add_groups(terms, shared, total);
      }
      add_lanes(total, shared.distances);
      take_distances(shared.distances, sums);
    }
    if (threadIdx.x == 0) write_row(sums, labels != nullptr, label, y, tops.above, to);
    // The next row's sums go where these are being read.
    __syncthreads();
  }
}

}  // namespace

void compare_rows(Stream& stream, const float* original, const float* changed, size_t rows, size_t classes,
                  const int32_t* labels, double* out) {
  if (rows == 0) return;
  // Indices within a row are 32 bits wide.
  if (classes == 0 || classes > 0x7fffffffu) check(cudaErrorInvalidValue, "compare");
  const unsigned blocks = blocks_for(rows, 1);
  const auto kernel = classes <= tile ? compare_kernel<true> : compare_kernel<false>;
  check(launch(kernel, blocks, block_threads, stream.handle(), original, changed, uint64_t(rows),
               uint32_t(classes), labels, out),
        "compare");
}

}  // namespace critmap::cuda
