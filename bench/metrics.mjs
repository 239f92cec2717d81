/** How fast rows of logits are compared, all metrics at once, one thread; the naive way for scale. */
import { native } from '../dist/native/addon.js';

/** The same metrics written plainly in JavaScript, in float64. */
function naive(original, changed, classes) {
  const rows = original.length / classes;
  const p = new Float64Array(classes);
  const q = new Float64Array(classes);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const at = row * classes;
    let [topP, topQ] = [at, at];
    for (let i = at; i < at + classes; i++) {
      if (original[i] > original[topP]) topP = i;
      if (changed[i] > changed[topQ]) topQ = i;
    }
    let [sumP, sumQ] = [0, 0];
    for (let i = 0; i < classes; i++) {
      sumP += p[i] = Math.exp(original[at + i] - original[topP]);
      sumQ += q[i] = Math.exp(changed[at + i] - changed[topQ]);
    }
    const logRatio = original[topP] - changed[topQ] + Math.log(sumP / sumQ);
    const logSum = original[topP] + Math.log(sumP);
    let [pq, pp, qq, l1, l2, kl, js, published] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < classes; i++) {
      const a = p[i] / sumP;
      const b = q[i] / sumQ;
      const m = (a + b) / 2;
      pq += a * b;
      pp += a * a;
      qq += b * b;
      l1 += Math.abs(a - b);
      l2 += (a - b) ** 2;
      kl += a * (original[at + i] - changed[at + i] - logRatio);
      if (a > 0) js += a * Math.log2(a / m);
      if (b > 0) js += b * Math.log2(b / m);
      published -= changed[at + i] * (original[at + i] - logSum);
    }
    total += pq / Math.sqrt(pp * qq) + l1 + Math.sqrt(l2) + kl + js / 2 + published + (topP === topQ ? 1 : 0);
  }
  return total;
}

/** @returns {Record<string, () => import('./index.mjs').Case>} */
export function metricsCases() {
  const addon = native();
  const { paths } = addon.info();
  const one = (classes, rows, labelled) => () => {
    const [original, changed] = [new Float32Array(rows * classes), new Float32Array(rows * classes)];
    addon.reset(original, { kind: 'normal', mean: 0, std: 3, key: 1n });
    addon.reset(changed, { kind: 'normal', mean: 0, std: 3, key: 2n });
    const labels = labelled ? Int32Array.from({ length: rows }, (_, row) => row % classes) : undefined;
    const contestants = { 'naive JS': () => naive(original, changed, classes) };
    for (const path of paths) {
      contestants[path] = () => {
        addon.usePath(path);
        addon.compare(original, changed, classes, labels);
      };
    }
    return { contestants, work: rows, unit: 'rows' };
  };
  const length = 1 << 24;
  const norms = () => {
    const [original, changed] = [new Float32Array(length).fill(1), new Float32Array(length).fill(2)];
    const contestants = {
      'naive JS': () => {
        let sum = 0;
        for (let i = 0; i < length; i++) sum += original[i] ** 2 + (changed[i] - original[i]) ** 2;
        return sum;
      },
    };
    for (const path of paths) {
      contestants[path] = () => {
        addon.usePath(path);
        addon.norms(original, changed);
      };
    }
    return { contestants, work: length, unit: 'floats' };
  };
  return {
    'metrics C=1000': one(1000, 2000, false),
    'metrics C=1000 labels': one(1000, 2000, true),
    'metrics C=10 labels': one(10, 50_000, true),
    'metrics C=21841': one(21_841, 100, false),
    norms,
  };
}
