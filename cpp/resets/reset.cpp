#include "resets/reset.h"

#include <algorithm>
#include <cmath>

#include "resets/element_rules.h"
#include "simd/kernels.h"

namespace critmap {
namespace {

// Elements drawn at a time: the tile and its target stay in the first-level cache.
constexpr size_t tile_length = 2048;
// Transposed: as many channels as fill a cache line, times a run that fits four whole steps of 64 elements
// wherever it starts.
constexpr size_t tile_channels = 16, tile_rest = 252;

void mix(std::span<float> target, const ResetRule& rule) {
  for (size_t i = 0; i < target.size(); i++) {
    target[i] = rule.donor_share * rule.donor[i] + rule.value * target[i];
  }
}

bool adds(const ResetRule& rule) { return rule.kind == ResetKind::noise || rule.kind == ResetKind::blend; }

// Multiplies the elements [begin, begin + count) of the parameter, which are at `values`.
void scale(float* values, size_t begin, size_t count, const ResetLayout& layout, const float* factor) {
  const size_t end = begin + count;
  for (size_t i = begin; i < end;) {
    const size_t channel = i / layout.inner % layout.channels;
    if (layout.inner == 1) {
      const size_t run = std::min(layout.channels - channel, end - i);
      for (size_t k = 0; k < run; k++) values[k] *= factor[channel + k];
      values += run;
      i += run;
    } else {
      const size_t run = std::min((i / layout.inner + 1) * layout.inner, end) - i;
      for (size_t k = 0; k < run; k++) values[k] *= factor[channel];
      values += run;
      i += run;
    }
  }
}

void draw_in_order(const Kernels& kernels, std::span<float> target, const ResetRule& rule,
                   const ResetLayout& layout, const float* factor) {
  float tile[tile_length];
  for (size_t begin = 0; begin < target.size(); begin += tile_length) {
    const size_t count = std::min(tile_length, target.size() - begin);
    float* const part = target.data() + begin;
    if (adds(rule)) {
      kernels.draw(rule.draw, layout.first + begin, tile, count);
      for (size_t i = 0; i < count; i++) part[i] += tile[i];
    } else {
      kernels.draw(rule.draw, layout.first + begin, part, count);
    }
    if (factor) scale(part, begin, count, layout, factor);
  }
}

void draw_transposed(const Kernels& kernels, std::span<float> target, const ResetRule& rule,
                     const ResetLayout& layout, const float* factor) {
  const size_t channels = layout.channels, rest = target.size() / channels;
  float tile[tile_channels][tile_rest];
  for (size_t r0 = 0; r0 < rest; r0 += tile_rest) {
    const size_t length = std::min(tile_rest, rest - r0);
    for (size_t c0 = 0; c0 < channels; c0 += tile_channels) {
      const size_t width = std::min(tile_channels, channels - c0);
      for (size_t c = 0; c < width; c++) {
        kernels.draw(rule.draw, layout.first + (c0 + c) * rest + r0, tile[c], length);
      }
      for (size_t r = 0; r < length; r++) {
        float* const row = target.data() + (r0 + r) * channels + c0;
        for (size_t c = 0; c < width; c++) {
          const float value = adds(rule) ? row[c] + tile[c][r] : tile[c][r];
          row[c] = factor ? value * factor[c0 + c] : value;
        }
      }
    }
  }
}

// Calls each(first, count, channel) for runs of stored elements of one channel; of all channels in turn where
// they are stored next to each other.
template <class Each>
void for_each_run(size_t count, const ResetLayout& layout, const Each& each) {
  size_t channel = 0;
  for (size_t i = 0; i < count; i += layout.inner) {
    each(i, layout.inner, channel);
    if (++channel == layout.channels) channel = 0;
  }
}

template <Grid grid>
void quantize(std::span<float> target, const ResetRule& rule, const ResetLayout& layout) {
  const float largest = rule.value;
  for_each_run(target.size(), layout, [&](size_t first, size_t count, size_t channel) {
    const float scale = rule.scales[channel];
    float* const run = target.data() + first;
    for (size_t i = 0; i < count; i++) run[i] = quantized(run[i], scale, grid, largest);
  });
}

// `ties` of them go if they are as large as the threshold: for the others and those the same for all, which a
// compiler makes vectors of.
void prune_run(std::span<float> run, float threshold, size_t ties) {
  for (float& x : run.first(ties)) x = pruned(x, 0, threshold, 1);
  for (float& x : run.subspan(ties)) x = pruned(x, 0, threshold, 0);
}

void prune(std::span<float> target, const ResetRule& rule, const ResetLayout& layout) {
  const uint64_t ties = std::min<uint64_t>(rule.ties, target.size());
  if (!layout.transposed) return prune_run(target, rule.value, size_t(ties));
  const size_t channels = layout.channels, rest = target.size() / channels;
  for (size_t r = 0; r < rest; r++) {
    // Channels c whose element c * rest + r is before the end of ties.
    const size_t before = ties > r ? (size_t(ties) - r + rest - 1) / rest : 0;
    prune_run(target.subspan(r * channels, channels), rule.value, before);
  }
}

}  // namespace

Draw draw_uniform(uint64_t key, float low, float high) {
  const float largest = high > low ? std::nextafter(high, low) : low;
  return {DrawKind::uniform, key, low, high - low, low, largest};
}

Draw draw_normal(uint64_t key, float mean, float std) { return {DrawKind::normal, key, mean, std, 0, 0}; }

Draw draw_truncated(uint64_t key, float mean, float std, float low, float high) {
  return {DrawKind::truncated, key, mean, std, low, high};
}

double acceptance(double mean, double std, double low, double high) {
  if (std == 0) return low <= mean && mean <= high ? 1 : 0;
  const double a = (low - mean) / std, b = (high - mean) / std, root = std::sqrt(2.0);
  // From the nearer tail, so that no digits are lost.
  return a > 0 ? (std::erfc(a / root) - std::erfc(b / root)) / 2
               : (std::erfc(-b / root) - std::erfc(-a / root)) / 2;
}

bool are_scales(std::span<const float> scales) {
  return std::all_of(scales.begin(), scales.end(),
                     [](float scale) { return scale >= 0x1p-126f && scale <= 0x1p126f; });
}

void reset(const Kernels& kernels, std::span<float> target, const ResetRule& rule, const ResetLayout& layout,
           const float* factor) {
  switch (rule.kind) {
    case ResetKind::blend:
      mix(target, rule);
      [[fallthrough]];
    case ResetKind::draw:
    case ResetKind::noise:
      if (layout.transposed) return draw_transposed(kernels, target, rule, layout, factor);
      return draw_in_order(kernels, target, rule, layout, factor);
    case ResetKind::constant:
      std::fill(target.begin(), target.end(), rule.value);
      break;
    case ResetKind::interpolate:
      mix(target, rule);
      break;
    case ResetKind::shuffle:
      shuffle(kernels, target, rule.key, layout);
      break;
    case ResetKind::quantize:
      if (rule.grid == Grid::whole) {
        quantize<Grid::whole>(target, rule, layout);
      } else {
        quantize<Grid::e4m3>(target, rule, layout);
      }
      break;
    case ResetKind::prune:
      prune(target, rule, layout);
      break;
  }
  if (factor) scale(target.data(), 0, target.size(), layout, factor);
}

}  // namespace critmap
