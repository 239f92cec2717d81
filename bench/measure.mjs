/**
 * Timing: every contestant of a case runs once a round, in turn, so that a busy machine slows all of them alike.
 * These cases compute in one thread, so the time is the processor's, not the clock's: what other processes take
 * does not count (what they do to the caches does). A speed is the median over the rounds; the spread is their
 * slowest and fastest. `wall.mjs` is for what uses several threads.
 */
import { cpus } from 'node:os';

/**
 * @param {Record<string, () => void>} contestants by name; the first is what the others are compared with
 * @param {{ work: number, unit: string, rounds?: number }} how `work` units are done per run
 */
export function measure(contestants, { work, unit, rounds = 9 }) {
  const times = new Map(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const started = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(started);
      // The first round warms up.
      if (round >= 0) times.get(name).push((user + system) / 1000);
    }
  }
  const speeds = [...times].map(([name, all]) => {
    const sorted = all.map((ms) => (work / ms) * 1000).sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    return { name, unit, median, slowest: sorted[0], fastest: sorted.at(-1) };
  });
  return speeds.map((speed) => ({ ...speed, ratio: speed.median / speeds[0].median, to: speeds[0].name }));
}

/** 1234567 as "1.23 M". */
function short(value) {
  for (const [size, suffix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${suffix}`;
  }
  return value.toPrecision(3);
}

/** One line per contestant. */
export function table(speeds) {
  return speeds
    .map(({ name, unit, median, slowest, fastest, ratio, ratioLow, ratioHigh, to }) => {
      const spread = `${short(slowest)} - ${short(fastest)}`;
      const range = name !== to && ratioLow ? ` (${ratioLow.toFixed(2)} - ${ratioHigh.toFixed(2)})` : '';
      return `  ${name.padEnd(12)} ${`${short(median)} ${unit}/s`.padEnd(22)} ${spread.padEnd(20)} ${ratio.toFixed(2)} x ${to}${range}`;
    })
    .join('\n');
}

export function machine(info) {
  const all = cpus();
  const { version, arch, platform } = process;
  return { cpu: all[0]?.model.trim(), cores: all.length, platform, arch, node: version, ...info };
}
