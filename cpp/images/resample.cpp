#include "images/resample.h"

#include <string.h>

#include <algorithm>
#include <cmath>

#include "simd/kernels.h"

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
  // Pillow's constants are float32, which shows in one pixel of many.
  return std::sin(x) / x * (double(0.54f) + double(0.46f) * std::cos(x));
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

Axis::Axis(Filter filter, size_t from, size_t to, size_t begin, size_t outputs) : starts_(outputs) {
  if (from == to || filter == Filter::nearest) {
    take_nearest(from, to, begin);
  } else {
    weigh(filter, from, to, begin);
  }
  const size_t count = weights_.size() / outputs;
  taps_ = {starts_.data(), weights_.data(), nullptr, count, 0, outputs};
  const auto [least, most] = std::minmax_element(starts_.begin(), starts_.end());
  first_ = *least;
  end_ = *most + count;
}

void Axis::take_nearest(size_t from, size_t to, size_t begin) {
  weights_.assign(starts_.size(), int32_t(1) << weight_bits);
  const double scale = double(from) / double(to);
  // Pillow walks along the axis by adding the scale, whose rounding errors decide which neighbour is taken.
  double position = scale * 0.5;
  for (size_t output = 0; output < begin + starts_.size(); output++) {
    if (output >= begin) starts_[output - begin] = uint32_t(std::min(size_t(position), from - 1));
    position += scale;
  }
}

void Axis::weigh(Filter filter, size_t from, size_t to, size_t begin) {
  const auto [weight, unit_reach] = kind_of(filter);
  const double scale = double(from) / double(to);
  const double stretch = std::max(scale, 1.0);
  const double reach = unit_reach * stretch;
  const double per_stretch = 1.0 / stretch;
  const auto centre_of = [&](size_t at) { return (double(begin + at) + 0.5) * scale; };
  const auto start_of = [&](double centre) { return std::max<int64_t>(int64_t(centre - reach + 0.5), 0); };
  const auto end_of = [&](double centre) {
    return std::min<int64_t>(int64_t(centre + reach + 0.5), int64_t(from));
  };
  size_t count = 1;
  for (size_t at = 0; at < starts_.size(); at++) {
    const double centre = centre_of(at);
    count = std::max(count, size_t(end_of(centre) - start_of(centre)));
  }
  weights_.resize(starts_.size() * count);
  std::vector<double> weights(count);
  for (size_t at = 0; at < starts_.size(); at++) {
    const double centre = centre_of(at);
    const int64_t start = start_of(centre);
    const size_t reached = size_t(end_of(centre) - start);
    double sum = 0;
    for (size_t i = 0; i < reached; i++) {
      weights[i] = weight((double(int64_t(i) + start) - centre + 0.5) * per_stretch);
      sum += weights[i];
    }
    starts_[at] = uint32_t(std::min(size_t(start), from - count));
    int32_t* const to_here = weights_.data() + at * count + (size_t(start) - starts_[at]);
    for (size_t i = 0; i < reached; i++) to_here[i] = fixed_point(sum != 0 ? weights[i] / sum : weights[i]);
  }
}

void Axis::rebase() {
  for (uint32_t& start : starts_) start -= uint32_t(first_);
}

void Axis::pair() {
  taps_.groups = (taps_.count + PairedWeights::taps - 1) / PairedWeights::taps;
  paired_.resize(taps_.outputs * taps_.groups);
  for (size_t output = 0; output < taps_.outputs; output++) {
    for (size_t t = 0; t < taps_.count; t++) {
      const int32_t weight = weights_[output * taps_.count + t];
      PairedWeights& group = paired_[output * taps_.groups + t / PairedWeights::taps];
      const size_t half = t % PairedWeights::taps / 2 * 8;
      for (size_t at = half + t % 2; at < half + 8; at += 2) {
        group.low[at] = int16_t(weight & ((1 << PairedWeights::low_bits) - 1));
        group.high[at] = int16_t(weight >> PairedWeights::low_bits);
      }
    }
  }
  taps_.paired = paired_.data();
}

Resampler::Resampler(const Kernels& kernels, const Resize& resize)
    : kernels_(kernels),
      channels_(resize.channels),
      row_bytes_(resize.width * resize.channels),
      pitch_(row_bytes_ + row_padding),
      columns_(resize.filter, resize.from_width, resize.to_width, resize.left, resize.width),
      rows_(resize.filter, resize.from_height, resize.to_height, resize.top, resize.height),
      between_(std::make_unique_for_overwrite<uint8_t[]>(pitch_ * (rows_.end() - rows_.first()))) {
  rows_.rebase();
  if (channels_ == 3) columns_.pair();
}

void Resampler::add(const uint8_t* row) {
  kernels_.resample_row(row, columns_.taps(), channels_, between_.get() + added_++ * pitch_);
}

void Resampler::finish(uint8_t* out) const {
  const Taps& taps = rows_.taps();
  for (size_t row = 0; row < taps.outputs; row++) {
    kernels_.blend_rows(between_.get() + taps.starts[row] * pitch_, pitch_, taps.weights + row * taps.count,
                        taps.count, row_bytes_, out + row * row_bytes_);
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
