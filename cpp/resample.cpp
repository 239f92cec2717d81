#include "resample.h"

#include <string.h>

#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace critmap {
namespace {

constexpr double pi = 3.14159265358979323846;

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

double bilinear_weight(double x) {
  x = std::fabs(x);
  return x < 1 ? 1 - x : 0;
}

double hamming_weight(double x) {
  x = std::fabs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= pi;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}

// Keys' cubic with a = -0.5.
double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= pi;
  return std::sin(x) / x;
}

double lanczos_weight(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Kind {
  double (*weight)(double);
  double reach;
};

Kind kind_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {box_weight, 0.5};
    case Filter::hamming:
      return {hamming_weight, 1};
    case Filter::bicubic:
      return {bicubic_weight, 2};
    case Filter::lanczos:
      return {lanczos_weight, 3};
    default:
      return {bilinear_weight, 1};
  }
}

int32_t fixed_point(double weight) {
  const double scaled = weight * (1 << weight_bits);
  return int32_t(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Axis::Axis(Filter filter, size_t from, size_t to, size_t begin, size_t count) {
  const bool single = from == to || filter == Filter::nearest;
  const double scale = double(from) / double(to);
  const double reach = kind_of(filter).reach * std::max(scale, 1.0);
  const size_t stride = single ? 1 : size_t(std::ceil(reach)) * 2 + 1;
  starts_.resize(count);
  counts_.assign(count, 1);
  weights_.assign(count * stride, int32_t(1) << weight_bits);
  taps_ = {starts_.data(), counts_.data(), weights_.data(), stride, count};
  if (single) {
    // Pillow walks along the axis by adding the scale, whose rounding errors decide which neighbour is taken.
    double position = scale * 0.5;
    for (size_t output = 0; output < begin + count; output++) {
      if (output >= begin) starts_[output - begin] = uint32_t(std::min(size_t(position), from - 1));
      position += scale;
    }
  } else {
    for (size_t at = 0; at < count; at++) weigh(filter, from, to, begin + at, at);
  }
  first_ = *std::min_element(starts_.begin(), starts_.end());
  end_ = 0;
  for (size_t at = 0; at < count; at++) end_ = std::max<size_t>(end_, starts_[at] + counts_[at]);
}

void Axis::weigh(Filter filter, size_t from, size_t to, size_t output, size_t at) {
  const auto [weight, unit_reach] = kind_of(filter);
  const double scale = double(from) / double(to);
  const double stretch = std::max(scale, 1.0);
  const double reach = unit_reach * stretch;
  const double per_stretch = 1.0 / stretch;
  const double centre = (double(output) + 0.5) * scale;
  const int64_t start = std::max<int64_t>(int64_t(centre - reach + 0.5), 0);
  const int64_t end = std::min<int64_t>(int64_t(centre + reach + 0.5), int64_t(from));
  std::vector<double> weights(size_t(end - start));
  double sum = 0;
  for (int64_t i = 0; i < end - start; i++) {
    weights[size_t(i)] = weight((double(i + start) - centre + 0.5) * per_stretch);
    sum += weights[size_t(i)];
  }
  starts_[at] = uint32_t(start);
  counts_[at] = uint32_t(end - start);
  for (size_t i = 0; i < weights.size(); i++) {
    weights_[at * taps_.stride + i] = fixed_point(sum != 0 ? weights[i] / sum : weights[i]);
  }
}

void Axis::rebase() {
  for (uint32_t& start : starts_) start -= uint32_t(first_);
}

Resampler::Resampler(const Kernels& kernels, const Resize& resize)
    : kernels_(kernels),
      channels_(resize.channels),
      row_bytes_(resize.width * resize.channels),
      pitch_(row_bytes_ + row_padding),
      columns_(resize.filter, resize.from_width, resize.to_width, resize.left, resize.width),
      rows_(resize.filter, resize.from_height, resize.to_height, resize.top, resize.height),
      between_(pitch_ * (rows_.end() - rows_.first())) {
  rows_.rebase();
}

void Resampler::add(const uint8_t* row) {
  kernels_.resample_row(row, columns_.taps(), channels_, between_.data() + added_++ * pitch_);
}

void Resampler::finish(uint8_t* out) const {
  const Taps& taps = rows_.taps();
  for (size_t row = 0; row < taps.outputs; row++) {
    kernels_.blend_rows(between_.data() + taps.starts[row] * pitch_, pitch_, taps.weights + row * taps.stride,
                        taps.counts[row], row_bytes_, out + row * row_bytes_);
  }
}

void resample(const Kernels& kernels, const uint8_t* pixels, const Resize& resize, uint8_t* out) {
  Resampler resampler(kernels, resize);
  const size_t row_bytes = resize.from_width * resize.channels;
  const size_t last = resize.from_height - 1;
  for (size_t row = resampler.first_row(); row < resampler.end_row(); row++) {
    const uint8_t* const start = pixels + row * row_bytes;
    // Only the last rows are not followed by enough others.
    if ((last - row) * row_bytes >= row_padding) {
      resampler.add(start);
    } else {
      std::vector<uint8_t> padded(row_bytes + row_padding);
      memcpy(padded.data(), start, row_bytes);
      resampler.add(padded.data());
    }
  }
  resampler.finish(out);
}

}  // namespace critmap
