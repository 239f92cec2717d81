/** How fast a parameter is reset in place: 16 M float32, one thread, every code path. */
import { native } from '../dist/native/addon.js';

const length = 1 << 24;
const key = 0x243f6a8885a308d3n;

/** @returns {Record<string, () => import('./index.mjs').Case>} */
export function resetCases() {
  const addon = native();
  const { paths } = addon.info();
  const rules = {
    uniform: { kind: 'uniform', low: -1, high: 1, key },
    normal: { kind: 'normal', mean: 0, std: 1, key },
    'trunc-normal': { kind: 'trunc-normal', mean: 0, std: 1, low: -2, high: 2, key },
    noise: { kind: 'noise', std: 0.1, key },
    constant: { kind: 'constant', value: 1 },
    shuffle: { kind: 'shuffle', key },
  };
  const one = (rule, options) => () => {
    const target = new Float32Array(length);
    const contestants = { fill: () => target.fill(1) };
    for (const path of paths) {
      contestants[path] = () => {
        addon.usePath(path);
        addon.reset(target, rule, options);
      };
    }
    return { contestants, work: length, unit: 'floats', rounds: rule.kind === 'shuffle' ? 3 : 9 };
  };
  const cases = Object.fromEntries(Object.entries(rules).map(([name, rule]) => [`reset ${name}`, one(rule)]));
  const channels = 1 << 12;
  const layout = { channels, inner: 1, transposed: true };
  cases['reset normal transposed'] = one(rules.normal, { layout });
  cases['reset normal factor'] = one(rules.normal, {
    layout: { channels, inner: length / channels },
    factor: new Float32Array(channels).fill(0.5),
  });
  for (const grid of ['int8', 'fp8']) {
    const scales = new Float32Array(channels).fill(0.01);
    cases[`reset quantize ${grid}`] = one(
      { kind: 'quantize', grid, scales },
      { layout: { channels, inner: length / channels } },
    );
  }
  cases['reset prune'] = one({ kind: 'prune', threshold: 0.5, ties: length / 2 });
  cases['reset interpolate'] = () => {
    const donor = new Float32Array(length);
    return one({ kind: 'interpolate', donor, alpha: 0.5 })();
  };
  return cases;
}
