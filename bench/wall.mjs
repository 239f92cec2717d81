/**
 * Timing of what runs in several threads: by the clock, since processor time does not show what threads wait for.
 * Another process slows these figures, so every contestant is run between two runs of the first one and is
 * compared with the mean of the two: what changes slowly on the machine falls out of the ratio.
 */
import { setTimeout } from 'node:timers/promises';

/**
 * Threads of ONNX Runtime spin for a while after their work; the next contestant waits until they sleep.
 */
const PAUSE_MS = 100;

/** What `run` gives, and its seconds. */
export async function timed(run) {
  const started = performance.now();
  const value = await run();
  return { value, seconds: (performance.now() - started) / 1000 };
}

/** Seconds per call; a quick call is repeated until `least` seconds are over. */
export async function secondsPerCall(run, least = 0) {
  let calls = 0;
  let elapsed = 0;
  while (calls === 0 || elapsed < least) {
    elapsed += (await timed(run)).seconds;
    calls++;
  }
  return elapsed / calls;
}

/** Median, lowest and highest. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median =
    ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
  return { median, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN };
}

/**
 * One speed per contestant, as `measure` gives them, with every single speed and ratio.
 *
 * @param {Record<string, { unit: string, speed: () => Promise<number> }>} contestants by name, `speed` in units
 *   per second; the first is what the others are compared with
 */
export async function alternate(contestants, rounds) {
  const [[to, first], ...others] = Object.entries(contestants);
  const run = async ({ speed }) => {
    await setTimeout(PAUSE_MS);
    return speed();
  };
  const speeds = new Map(Object.keys(contestants).map((name) => [name, []]));
  const ratios = new Map(others.map(([name]) => [name, []]));
  let before = await run(first);
  speeds.get(to).push(before);
  for (let round = 0; round < rounds; round++) {
    for (const [name, contestant] of others) {
      const own = await run(contestant);
      const after = await run(first);
      speeds.get(name).push(own);
      speeds.get(to).push(after);
      ratios.get(name).push(own / ((before + after) / 2));
      before = after;
    }
  }
  return Object.entries(contestants).map(([name, { unit }]) => {
    const { median, low, high } = spread(speeds.get(name));
    const found = ratios.get(name) ?? [1];
    const ratio = spread(found);
    return {
      name,
      unit,
      speeds: speeds.get(name),
      median,
      slowest: low,
      fastest: high,
      ratio: ratio.median,
      ratioLow: ratio.low,
      ratioHigh: ratio.high,
      ratios: found,
      to,
    };
  });
}
