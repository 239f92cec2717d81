#include "metrics.h"

#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels.h"

namespace critmap {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double limit(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

void finish_row(const RowSums& sums, size_t row, const ComparisonOut& out) {
  out.invalid[row] = !sums.finite;
  out.agree[row] = sums.finite && sums.agree;
  if (!sums.finite) {
    for (double* metric : {out.cosine, out.l1, out.l2, out.kl, out.js, out.published_cross_entropy}) {
      metric[row] = nan;
    }
    return;
  }
  out.cosine[row] = limit(sums.product / std::sqrt(sums.square_p * sums.square_q), 0, 1);
  out.l1[row] = limit(sums.l1, 0, 2);
  out.l2[row] = std::sqrt(sums.l2_square);
  out.kl[row] = sums.kl > 0 ? sums.kl : 0;
  out.js[row] = limit(sums.js / 0.69314718055994530942, 0, 1);
  out.published_cross_entropy[row] = sums.log_weight_original * sums.changed - sums.changed_times_original;
}

void finish_label(const Kernels& kernels, const RowSums& sums, const float* changed, size_t classes,
                  int32_t label, size_t row, const ComparisonOut& out) {
  const bool counted = sums.finite && label >= 0;
  const size_t rank = counted ? kernels.rank(changed, classes, size_t(label)) : classes;
  out.top1[row] = counted && rank == 0;
  out.top5[row] = counted && rank < 5;
  out.loss[row] = counted ? sums.log_weight_changed + (sums.top_changed - double(changed[label])) : nan;
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
