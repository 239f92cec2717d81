// Resets on a card. A thread makes the four elements of one Philox block, which is one store of 16 bytes. A
// transposed parameter is written element by element, neighbours by neighbours, each from a block of its own.
#include "cuda/items.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/shuffle.h"
#include "resets/element_rules.h"

namespace critmap::cuda {
namespace {

using Values = Four::Floats;

constexpr unsigned block_threads = 256;

struct Parameter {
  float* values;
  uint64_t count;
  const float *own, *factor, *shift;
  uint64_t channels, inner;
};

// Elements [at, at + part) of four, zeros for the rest.
__device__ __forceinline__ Values load_four(const float* from, uint64_t at, uint32_t part) {
  from += at;
  if (part == 4 && in_whole_lines(from)) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    return {{four.x, four.y, four.z, four.w}};
  }
  Values values;
  for (uint32_t i = 0; i < 4; i++) values.v[i] = i < part ? from[i] : 0.0f;
  return values;
}

// The numbers of four elements' channels, of one number per channel.
__device__ __forceinline__ Values per_channel(const float* numbers, const Parameter& target, uint64_t at,
                                              uint32_t part) {
  const uint64_t row = quotient(at, target.inner);
  uint64_t within = at - row * target.inner;
  uint64_t channel = row - quotient(row, target.channels) * target.channels;
  Values found;
  for (uint32_t i = 0; i < 4; i++) {
    found.v[i] = i < part ? numbers[channel] : 0.0f;
    if (++within < target.inner) continue;
    within = 0;
    if (++channel == target.channels) channel = 0;
  }
  return found;
}

// What a draw is added to: nothing, the old value, or its mixture with a donor's.
struct Base {
  bool adds;
  const float* donor;
  float share, donor_share;
};

// The rules: four new values from the number of their block.
template <DrawKind kind>
struct Drawn {
  Draw draw;
  Base base;
  uint64_t first_block;

  __device__ __forceinline__ Values operator()(const Parameter& target, uint64_t block, uint32_t part) const {
    const auto words = [this, block](uint64_t stream) {
      Four::Wide counters[4];
      philox_blocks<Four>(counters, first_block + block, stream, draw.key);
      Four::Words words[1];
      Four::pack(counters, words);
      return words[0];
    };
    const Values value = draw_value<Four, kind>(draw, words);
    if (!base.adds) return value;
    Values old = load_four(target.own, 4 * block, part);
    if (base.donor) {
      old =
          Four::set(base.donor_share) * load_four(base.donor, 4 * block, part) + Four::set(base.share) * old;
    }
    return old + value;
  }
};

struct Mixed {
  const float* donor;
  float share, donor_share;

  __device__ __forceinline__ Values operator()(const Parameter& target, uint64_t block, uint32_t part) const {
    if (!donor) return Four::set(share);
    return Four::set(donor_share) * load_four(donor, 4 * block, part) +
           Four::set(share) * load_four(target.own, 4 * block, part);
  }
};

struct Quantized {
  const float* scales;
  Grid grid;
  float largest;

  __device__ __forceinline__ Values operator()(const Parameter& target, uint64_t block, uint32_t part) const {
    Values values = load_four(target.own, 4 * block, part);
    const Values scale = per_channel(scales, target, 4 * block, part);
    for (uint32_t i = 0; i < part; i++) values.v[i] = quantized(values.v[i], scale.v[i], grid, largest);
    return values;
  }
};

// Where a stored element of a transposed parameter is in logical order.
__device__ __forceinline__ uint64_t logical_place(const Parameter& target, uint64_t at) {
  const uint64_t row = quotient(at, target.channels);
  return (at - row * target.channels) * (target.count / target.channels) + row;
}

struct Pruned {
  float threshold;
  uint64_t ties;
  bool transposed;

  __device__ __forceinline__ Values operator()(const Parameter& target, uint64_t block, uint32_t part) const {
    Values values = load_four(target.own, 4 * block, part);
    for (uint32_t i = 0; i < part; i++) {
      const uint64_t at = 4 * block + i;
      values.v[i] = pruned(values.v[i], transposed ? logical_place(target, at) : at, threshold, ties);
    }
    return values;
  }
};

// New elements that lie in logical order elsewhere.
struct Placed {
  const float* elements;
  bool transposed;

  __device__ __forceinline__ Values operator()(const Parameter& target, uint64_t block, uint32_t part) const {
    if (!transposed) return load_four(elements, 4 * block, part);
    Values values;
    for (uint32_t i = 0; i < 4; i++) {
      values.v[i] = i < part ? elements[logical_place(target, 4 * block + i)] : 0.0f;
    }
    return values;
  }
};

template <class Rule>
__global__ void __launch_bounds__(block_threads) reset_in_order(Parameter target, Rule rule) {
  for (uint64_t block = first_item(); block < (target.count + 3) / 4; block += item_stride()) {
    const uint64_t at = 4 * block, left = target.count - at;
    const uint32_t part = left < 4 ? uint32_t(left) : 4;
    Values values = rule(target, block, part);
    if (target.factor) values = values * per_channel(target.factor, target, at, part);
    if (target.shift) values = values + load_four(target.shift, at, part);
    store_four(target.values, at, part, values);
  }
}

// Word `element` % 4 of a block.
__device__ __forceinline__ OneLane::Words word_of(uint64_t element, uint64_t stream, uint64_t key) {
  OneLane::Wide counters[4];
  philox_blocks<OneLane>(counters, element / 4, stream, key);
  const uint32_t word = element & 3;
  const uint64_t low = word & 1 ? counters[1].v[0] : counters[0].v[0];
  const uint64_t high = word & 1 ? counters[3].v[0] : counters[2].v[0];
  return {{uint32_t(word & 2 ? high : low)}};
}

template <DrawKind kind>
__global__ void __launch_bounds__(block_threads)
    reset_transposed(Parameter target, Draw draw, Base base, uint64_t first) {
  const uint64_t rest = target.count / target.channels;
  for (uint64_t at = first_item(); at < target.count; at += item_stride()) {
    const uint64_t row = quotient(at, target.channels), channel = at - row * target.channels;
    const uint64_t element = first + channel * rest + row;
    const auto words = [&](uint64_t stream) { return word_of(element, stream, draw.key); };
    OneLane::Floats value = draw_value<OneLane, kind>(draw, words);
    if (base.adds) {
      OneLane::Floats old = OneLane::load(target.own + at);
      if (base.donor) {
        old =
            OneLane::set(base.donor_share) * OneLane::load(base.donor + at) + OneLane::set(base.share) * old;
      }
      value = old + value;
    }
    if (target.factor) value = value * OneLane::load(target.factor + channel);
    if (target.shift) value = value + OneLane::load(target.shift + at);
    OneLane::store(target.values + at, value);
  }
}

template <class Rule>
cudaError_t in_order(Stream& stream, const Parameter& target, const Rule& rule) {
  const unsigned blocks = blocks_for((target.count + 3) / 4, block_threads);
  return launch(reset_in_order<Rule>, blocks, block_threads, stream.handle(), target, rule);
}

template <DrawKind kind>
cudaError_t drawn(Stream& stream, const Parameter& target, const Draw& draw, const Base& base,
                  const ResetLayout& layout) {
  const uint64_t first = layout.first;
  if (!layout.transposed) return in_order(stream, target, Drawn<kind>{draw, base, first / 4});
  const unsigned blocks = blocks_for(target.count, block_threads);
  return launch(reset_transposed<kind>, blocks, block_threads, stream.handle(), target, draw, base, first);
}

cudaError_t drawn(Stream& stream, const Parameter& target, const ResetRule& rule, const ResetLayout& layout,
                  const float* donor) {
  const bool blends = rule.kind == ResetKind::blend;
  const Base base{blends || rule.kind == ResetKind::noise, blends ? donor : nullptr, rule.value,
                  rule.donor_share};
  switch (rule.draw.kind) {
    case DrawKind::uniform:
      return drawn<DrawKind::uniform>(stream, target, rule.draw, base, layout);
    case DrawKind::normal:
      return drawn<DrawKind::normal>(stream, target, rule.draw, base, layout);
    case DrawKind::truncated:
      return drawn<DrawKind::truncated>(stream, target, rule.draw, base, layout);
  }
  return cudaErrorInvalidValue;
}

cudaError_t changed(Stream& stream, const Parameter& target, const ResetRule& rule, const ResetLayout& layout,
                    const ResetInputs& inputs) {
  switch (rule.kind) {
    case ResetKind::draw:
    case ResetKind::noise:
    case ResetKind::blend:
      return drawn(stream, target, rule, layout, inputs.donor);
    case ResetKind::constant:
      return in_order(stream, target, Mixed{nullptr, rule.value, 0});
    case ResetKind::interpolate:
      return in_order(stream, target, Mixed{inputs.donor, rule.value, rule.donor_share});
    case ResetKind::quantize:
      return in_order(stream, target, Quantized{inputs.scales, rule.grid, rule.value});
    case ResetKind::prune:
      return in_order(stream, target, Pruned{rule.value, rule.ties, layout.transposed});
    case ResetKind::shuffle: {
      const float* sorted = nullptr;
      const cudaError_t status =
          shuffled(stream, target.own, target.count, rule.key, layout, *inputs.scratch, sorted);
      return status == cudaSuccess ? in_order(stream, target, Placed{sorted, layout.transposed}) : status;
    }
  }
  return cudaErrorInvalidValue;
}

}  // namespace

void reset(Stream& stream, float* target, size_t count, const ResetRule& rule, const ResetLayout& layout,
           const ResetInputs& inputs) {
  if (count == 0) return;
  const Parameter parameter{target,        count,        inputs.own ? inputs.own : target,
                            inputs.factor, inputs.shift, layout.channels,
                            layout.inner};
  check(changed(stream, parameter, rule, layout, inputs), "reset");
}

}  // namespace critmap::cuda
