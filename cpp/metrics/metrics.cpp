#include "metrics/metrics.h"

#include <cmath>
#include <limits>

#include "metrics/metrics_terms.h"
#include "simd/kernels.h"

namespace critmap {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

void finish_row(const RowSums& sums, size_t row, const ComparisonOut& out) {
  out.invalid[row] = !sums.finite;
  out.agree[row] = sums.finite && sums.agree;
  const RowMetrics found = row_metrics(sums);
  out.cosine[row] = found.cosine;
  out.l1[row] = found.l1;
  out.l2[row] = found.l2;
  out.kl[row] = found.kl;
  out.js[row] = found.js;
  out.published_cross_entropy[row] = found.published_cross_entropy;
}

void finish_label(const Kernels& kernels, const RowSums& sums, const float* changed, size_t classes,
                  int32_t label, size_t row, const ComparisonOut& out) {
  const bool counted = sums.finite && label >= 0;
  const size_t rank = counted ? kernels.rank(changed, classes, size_t(label)) : classes;
  out.top1[row] = counted && rank == 0;
  out.top5[row] = counted && rank < 5;
  out.loss[row] = counted ? label_loss(sums, changed[label]) : nan;
}

}  // namespace

ComparisonCounts compare_rows(const Kernels& kernels, const float* original, const float* changed,
                              size_t rows, size_t classes, const int32_t* labels, float* scratch,
                              const ComparisonOut& out) {
  ComparisonCounts counts{0, 0};
  for (size_t row = 0; row < rows; row++) {
    const float* const z = original + row * classes;
    const float* const y = changed + row * classes;
    RowSums sums;
    kernels.compare_row(z, y, classes, scratch, sums);
    finish_row(sums, row, out);
    if (labels) finish_label(kernels, sums, y, classes, labels[row], row, out);
    counts.agreement += out.agree[row];
    counts.invalid += out.invalid[row];
  }
  return counts;
}

Norms norms(const Kernels& kernels, const float* original, const float* changed, size_t count) {
  double sums[2];
  kernels.square_sums(original, changed, count, sums);
  return {std::sqrt(sums[0]), std::sqrt(sums[1])};
}

}  // namespace critmap
