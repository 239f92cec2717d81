#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "check.h"

namespace critmap::gpu_check {
namespace {

struct Rows {
  size_t rows, classes;
  std::vector<float> original, changed;
  // Empty without labels.
  std::vector<int32_t> labels;
};

std::vector<double> expected(const Rows& input) {
  const size_t rows = input.rows;
  std::vector<double> numbers(7 * rows), result(rows * columns, std::numeric_limits<double>::quiet_NaN());
  std::vector<uint8_t> flags(4 * rows);
  std::vector<float> scratch(row_scratch(input.classes));
  double* const n = numbers.data();
  uint8_t* const f = flags.data();
  const bool labelled = !input.labels.empty();
  const ComparisonOut out{n,
                          n + rows,
                          n + 2 * rows,
                          n + 3 * rows,
                          n + 4 * rows,
                          n + 5 * rows,
                          f,
                          f + rows,
                          labelled ? f + 2 * rows : nullptr,
                          labelled ? f + 3 * rows : nullptr,
                          labelled ? n + 6 * rows : nullptr};
  compare_rows(*kernel_paths().paths[0], input.original.data(), input.changed.data(), rows, input.classes,
               labelled ? input.labels.data() : nullptr, scratch.data(), out);
  for (size_t i = 0; i < rows; i++) {
    double* const to = result.data() + i * columns;
    const double row[] = {out.cosine[i],
                          out.l1[i],
                          out.l2[i],
                          out.kl[i],
                          out.js[i],
                          double(out.agree[i]),
                          double(out.invalid[i]),
                          out.published_cross_entropy[i]};
    std::copy(std::begin(row), std::end(row), to);
    if (!labelled) continue;
    to[col_top1] = out.top1[i];
    to[col_top5] = out.top5[i];
    to[col_loss] = out.loss[i];
  }
  return result;
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : memcmp(&a, &b, sizeof(a)) == 0; }

void check(cuda::Stream& stream, const Rows& input, size_t offset, const std::string& name, Report& report) {
  Poisoned<float> original(stream, input.original.size(), offset),
      changed(stream, input.changed.size(), (offset + 1) % 4);
  Poisoned<int32_t> labels(stream, input.labels.size(), offset);
  Poisoned<double> out(stream, input.rows * columns, offset);
  original.set(stream, input.original);
  changed.set(stream, input.changed);
  labels.set(stream, input.labels);
  cuda::compare_rows(stream, original.data(), changed.data(), input.rows, input.classes,
                     input.labels.empty() ? nullptr : labels.data(), out.data());
  bool intact = false;
  const std::vector<double> found = out.get(stream, intact), wanted = expected(input);
  const std::string what =
      name + ", " + std::to_string(input.rows) + " rows of " + std::to_string(input.classes) + " classes";
  size_t differ = 0;
  for (size_t i = 0; i < wanted.size(); i++) differ += !same(found[i], wanted[i]);
  report.expect(differ == 0, what + ": " + std::to_string(differ) + " results differ from the processor's");
  report.expect(intact, what + ": written outside the results");
}

Rows random_rows(uint64_t seed, size_t rows, size_t classes, float std, bool labelled) {
  Rows made{rows,
            classes,
            random_values(seed, rows * classes, std),
            random_values(seed + 1, rows * classes, std),
            {}};
  // The first row against itself.
  std::copy_n(made.original.begin(), rows ? classes : 0, made.changed.begin());
  for (size_t row = 0; labelled && row < rows; row++) {
    made.labels.push_back(row % 4 == 3 ? -1 : int32_t((row * 7 + seed) % classes));
  }
  return made;
}

// Ties, and numbers that are none, wherever a thread's part, a warp or a tile begins or ends.
Rows special_rows(uint64_t seed, size_t classes) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float values[] = {
      std::numeric_limits<float>::quiet_NaN(), infinity, -infinity, 3e38f, -3e38f, 9.0f, 0x1p65f};
  std::vector<size_t> places;
  for (const size_t place : {0, 1, 15, 16, 31, 32, 127, 128, 1023, 1024}) {
    if (place < classes) places.push_back(place);
  }
  places.push_back(classes - 1);
  const size_t rows = 2 * places.size() * std::size(values) + 3;
  Rows made = random_rows(seed, rows, classes, 1, true);
  size_t row = 0;
  for (const size_t place : places) {
    for (const float value : values) {
      made.original[row * classes + place] = value;
      // Equal maxima at two places, in one row the one, in the other both.
      made.changed[row * classes + place] = value;
      made.changed[row * classes + classes / 2] = value;
      made.labels[row] = int32_t(place);
      row++;
      made.changed[row * classes + place] = value;
      row++;
    }
  }
  // All equal, and zeros of both signs.
  std::fill_n(made.original.begin() + row * classes, 2 * classes, 0.5f);
  std::fill_n(made.changed.begin() + row * classes, 2 * classes, 0.5f);
  row += 2;
  for (size_t c = 0; c < classes; c++) {
    made.original[row * classes + c] = c % 2 ? 0.0f : -0.0f;
    made.changed[row * classes + c] = c % 2 ? -0.0f : 0.0f;
  }
  return made;
}

}  // namespace

void check_metrics(cuda::Stream& stream, const Options& options, Report& report) {
  uint64_t seed = options.seed + 1000;
  for (const size_t classes :
       {1, 2, 5, 10, 15, 16, 17, 31, 33, 100, 127, 128, 129, 1000, 1023, 1024, 1025, 2049, 21'841}) {
    for (const float std : {0.001f, 1.0f, 30.0f, 1e4f}) {
      const size_t rows = classes > 2000 ? 3 : 7;
      seed += 11;
      check(stream, random_rows(seed, rows, classes, std, std != 1), seed % 4,
            "logits of " + std::to_string(std), report);
    }
    if (classes <= 2 || classes % 16 == 1 || classes == 1024)
      check(stream, special_rows(seed += 10, classes), 0, "special logits", report);
  }
  for (const size_t rows : {0, 1, 4097}) {
    check(stream, random_rows(seed += 10, rows, 3, 1, true), 0, "many rows", report);
  }
  if (options.large) {
    // More than 2^31 bytes of logits.
    check(stream, random_rows(seed += 10, 560'001, 1000, 2, true), 0, "more than 2^31 bytes", report);
    check(stream, random_rows(seed += 10, 1'000'003, 100, 2, true), 1, "a million rows", report);
  }
  report.end_part("metrics");
}

}  // namespace critmap::gpu_check
