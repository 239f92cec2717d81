// Compares rows of logits before and after a reset: with p, q their softmax, cosine p.q / (|p||q|), L1 and L2
// of p - q, KL(p||q) in nats, Jensen-Shannon base 2, top-1 agreement, and with labels top-1, top-5 and
// cross-entropy of the changed logits. Top-1 is the lowest index among equal maxima. A pair of rows with a
// logit that is not finite is `invalid`: it agrees with nothing and its metrics are NaN. Every code path
// gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

struct Kernels;

// What one row's kernel leaves to be finished; with z, y the two rows and a = z - max z.
struct RowSums {
  bool finite, agree;
  double square_p, square_q, product;
  // ln of the sums of the exponentials, after subtracting the maxima.
  double log_weight_original, log_weight_changed, top_changed;
  double changed, changed_times_original;
  double l1, l2_square, kl, js;
};

// Elements of a row rounded up to whole steps of 16 lanes.
constexpr size_t row_padding(size_t classes) { return (classes + 15) / 16 * 16; }
constexpr size_t row_scratch(size_t classes) { return 3 * row_padding(classes) + 16; }

// Columns of a result row.
enum Column : size_t {
  col_cosine,
  col_l1,
  col_l2,
  col_kl,
  col_js,
  col_agree,
  col_invalid,
  col_published_cross_entropy,
  col_top1,
  col_top5,
  col_loss,
  columns
};

// Pointers to `rows` results each, owned by the caller.
struct ComparisonOut {
  double *cosine, *l1, *l2, *kl, *js, *published_cross_entropy;
  uint8_t *agree, *invalid;
  // Null without labels.
  uint8_t *top1, *top5;
  double* loss;
};

struct ComparisonCounts {
  size_t agreement, invalid;
};

// `labels` may be null; else one class index per row, or -1 for an unlabelled row: its hits are 0, its loss
// NaN. `scratch` holds row_scratch(classes) floats.
ComparisonCounts compare_rows(const Kernels& kernels, const float* original, const float* changed,
                              size_t rows, size_t classes, const int32_t* labels, float* scratch,
                              const ComparisonOut& out);

struct Norms {
  double original, difference;
};

// Euclidean norms of `original` and of `changed` - `original`.
Norms norms(const Kernels& kernels, const float* original, const float* changed, size_t count);

}  // namespace critmap
