#include <cmath>
#include <cstring>
#include <optional>

#include "check.h"
#include "resets/reset.h"

namespace critmap::gpu_check {
namespace {

struct Named {
  const char* name;
  ResetRule rule;
};

std::vector<Named> rules(uint64_t key) {
  ResetRule uniform{}, normal{}, truncated{}, narrow{}, noise{}, constant{}, mixed{}, whole{}, e4m3{},
      prune{}, blend{};
  uniform.draw = draw_uniform(key, -0.3f, 0.7f);
  normal.draw = draw_normal(key, 0.1f, 0.7f);
  truncated.draw = draw_truncated(key, 0, 1, -2, 2);
  // Few draws fall into it, so most are drawn again, several times.
  narrow.draw = draw_truncated(key, 0, 1, 1.8f, 4);
  noise.kind = ResetKind::noise;
  noise.draw = draw_normal(key, 0, 0.01f);
  constant.kind = ResetKind::constant;
  constant.value = 0.1f;
  mixed.kind = ResetKind::interpolate;
  mixed.value = 0.3f;
  mixed.donor_share = 1 - mixed.value;
  blend = mixed;
  blend.kind = ResetKind::blend;
  blend.draw = noise.draw;
  whole.kind = e4m3.kind = ResetKind::quantize;
  whole.value = 7;
  e4m3.grid = Grid::e4m3;
  e4m3.value = 448;
  prune.kind = ResetKind::prune;
  prune.value = 0.5f;
  prune.ties = 60;
  return {{"uniform", uniform},
          {"normal", normal},
          {"trunc-normal", truncated},
          {"narrow trunc-normal", narrow},
          {"noise", noise},
          {"constant", constant},
          {"interpolate", mixed},
          {"blend", blend},
          {"quantize to integers", whole},
          {"quantize to E4M3", e4m3},
          {"prune", prune}};
}

// What one check gives to both sides; offsets are elements past an aligned address.
struct Case {
  const Named& named;
  ResetLayout layout;
  size_t count, offset;
  bool factor, shift, apart;
};

std::string describe(const Case& c) {
  return std::string(c.named.name) + ", " + std::to_string(c.count) + " elements at offset " +
         std::to_string(c.offset) + ", " + std::to_string(c.layout.channels) + " channels of " +
         std::to_string(c.layout.inner) + (c.layout.transposed ? ", transposed" : "") +
         (c.factor ? ", factor" : "") + (c.shift ? ", shift" : "") + (c.apart ? ", from another place" : "");
}

std::vector<float> expected(const Case& c, std::vector<float> values, const std::vector<float>& donor,
                            const std::vector<float>& factor, const std::vector<float>& shift,
                            const std::vector<float>& scales) {
  ResetRule rule = c.named.rule;
  rule.donor = donor.data();
  rule.scales = scales.data();
  reset(*kernel_paths().paths[0], values, rule, c.layout, c.factor ? factor.data() : nullptr);
  if (c.shift) {
    for (size_t i = 0; i < values.size(); i++) values[i] += shift[i];
  }
  return values;
}

void check(cuda::Stream& stream, const Case& c, uint64_t seed, Report& report) {
  std::vector<float> own = random_values(seed + 1, c.count);
  std::vector<float> scales = random_values(seed + 5, c.layout.channels);
  for (float& scale : scales) scale = 0.2f + std::abs(scale);
  if (c.named.rule.kind == ResetKind::prune) {
    // As large as the threshold, on both sides of where ties end.
    for (size_t i = 0; i < c.count; i += 3) own[i] = i % 2 ? 0.5f : -0.5f;
  }
  // Of large arrays these take longer than all else.
  const bool mixes = c.named.rule.kind == ResetKind::interpolate || c.named.rule.kind == ResetKind::blend;
  const std::vector<float> donor = random_values(seed + 2, mixes ? c.count : 0),
                           shift = random_values(seed + 3, c.shift ? c.count : 0),
                           factor = random_values(seed + 4, c.layout.channels);
  // Different alignments, since each is read on its own.
  Poisoned<float> target(stream, c.count, c.offset), from(stream, c.count, (c.offset + 1) % 4),
      other(stream, donor.size(), (c.offset + 2) % 4), added(stream, shift.size(), (c.offset + 3) % 4),
      factors(stream, factor.size(), c.offset), steps(stream, scales.size(), (c.offset + 1) % 4);
  if (!c.apart) target.set(stream, own);
  from.set(stream, own);
  other.set(stream, donor);
  added.set(stream, shift);
  factors.set(stream, factor);
  steps.set(stream, scales);
  cuda::reset(stream, target.data(), c.count, c.named.rule, c.layout,
              {c.apart ? from.data() : nullptr, c.factor ? factors.data() : nullptr,
               c.shift ? added.data() : nullptr, other.data(), steps.data()});
  bool intact = false;
  const std::vector<float> found = target.get(stream, intact),
                           wanted = expected(c, own, donor, factor, shift, scales);
  report.expect(found.size() == wanted.size() &&
                    (c.count == 0 || memcmp(found.data(), wanted.data(), c.count * sizeof(float)) == 0),
                describe(c) + ": other bits than the processor's");
  report.expect(intact, describe(c) + ": written outside the target");
}

bool is_drawn(const ResetRule& rule) { return is_random(rule.kind) && rule.kind != ResetKind::shuffle; }

// Whether it looks at an element's logical index, or at numbers of its channel.
bool minds_order(const ResetRule& rule) {
  return is_drawn(rule) || rule.kind == ResetKind::quantize || rule.kind == ResetKind::prune;
}

}  // namespace

void check_resets(cuda::Stream& stream, const Options& options, Report& report) {
  struct Shape {
    size_t channels, inner, rest;
  };
  uint64_t seed = options.seed;
  for (const Named& named : rules(options.seed * 0x9e3779b97f4a7c15u + 1)) {
    // Around Philox blocks, warps and blocks of threads.
    for (const size_t count : {0, 1, 2, 3, 4, 5, 7, 127, 128, 129, 1023, 1024, 1025, 4099, 100'003}) {
      for (size_t offset = 0; offset < (count < 2000 ? 4 : 2); offset++) {
        check(stream, {named, {1, 1, false}, count, offset, false, false, count % 2 == 1}, seed += 10,
              report);
      }
    }
    for (const Shape& shape : {Shape{1, 1, 1}, {3, 1, 1}, {5, 7, 1}, {64, 9, 3}, {7, 1, 33}, {1, 501, 2}}) {
      const size_t count = shape.channels * shape.inner * shape.rest;
      for (const bool shift : {false, true}) {
        check(stream, {named, {shape.channels, shape.inner, false}, count, shift, true, shift, shift},
              seed += 10, report);
      }
    }
    if (minds_order(named.rule)) {
      for (const Shape& shape : {Shape{1, 1, 1}, {3, 1, 5}, {17, 1, 33}, {100, 1, 64}, {129, 1, 257}}) {
        for (const bool factor : {false, true}) {
          check(
              stream,
              {named, {shape.channels, 1, true}, shape.channels * shape.rest, factor, factor, factor, factor},
              seed += 10, report);
        }
      }
    }
    // Parts of larger parameters.
    if (is_drawn(named.rule)) {
      for (const bool transposed : {false, true}) {
        for (const size_t first : {size_t(4), size_t(100), size_t(1) << 33}) {
          check(stream, {named, {17, 1, transposed, first}, 17 * 33, 0, true, false, false}, seed += 10,
                report);
        }
      }
    }
    // More than a grid takes at once.
    const bool once = named.name == std::string("uniform");
    if (once || options.large) {
      check(stream, {named, {1, 1, false}, (size_t(1) << 22) + 1029, 1, false, false, false}, seed += 10,
            report);
      check(stream, {named, {1031, 1, is_drawn(named.rule)}, 1031 * 1021, 0, true, false, true}, seed += 10,
            report);
    }
    // More than 2^31 bytes; the processor would need minutes for what it draws again and again.
    const bool slow = named.name == std::string("narrow trunc-normal");
    if (options.large && is_drawn(named.rule) && !slow) {
      check(stream, {named, {1, 1, false}, (size_t(1) << 29) + 13, 0, false, false, false}, seed += 10,
            report);
      check(stream, {named, {8209, 1, true}, size_t(8209) * 65537, 1, true, false, false}, seed += 10,
            report);
    }
    report.end_part(std::string("reset, ") + named.name);
  }
}

}  // namespace critmap::gpu_check
