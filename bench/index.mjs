/**
 * npm run bench [WORD ...] [-- --json --rounds N --images N --minutes N]: measures the case of that name, or those
 * whose name contains all words, or all but those that run only when they are named.
 *
 * @typedef {{ contestants: Record<string, () => void>, work: number, unit: string, rounds?: number }} Case
 *   of one thread, see measure.mjs
 * @typedef {{ rounds?: number, images?: number, minutes?: number, batch?: number, device?: string,
 *   precision?: string, results?: string, everything: boolean }} Options as given; every case has its defaults, and
 *   may do less when everything is measured
 * @typedef {{ result: unknown, text: string, failed?: boolean }} Outcome for machines and for people; the exit code is
 *   1 where what was measured is wrong
 */
import { parseArgs } from 'node:util';
import { native } from '../dist/native/addon.js';
import { decodeCases } from './decode.mjs';
import { designCases } from './design.mjs';
import { drawCases } from './draws.mjs';
import { endToEndCases } from './end-to-end.mjs';
import { gpuCases } from './gpu.mjs';
import { imageCases } from './images.mjs';
import { machine, measure, table } from './measure.mjs';
import { metricsCases } from './metrics.mjs';
import { queueCases } from './queue.mjs';
import { resetCases } from './reset.mjs';
import { soakCases } from './soak.mjs';
import { startCases } from './start.mjs';
import { sweepCases } from './sweep.mjs';

const number = { type: 'string' };
const text = { type: 'string' };
const numbers = { rounds: number, images: number, minutes: number, batch: number };
/** Cases that run only when they are named. */
const apart = ['soak', 'gpu', 'design', 'draws resnet-50', 'queue', 'prune resnet-50'];
const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    ...numbers,
    device: text,
    precision: text,
    results: text,
  },
});
const { json, ...given } = values;
const options = {
  ...Object.fromEntries(
    Object.entries(given).map(([name, text]) => [name, name in numbers ? positive(name, text) : text]),
  ),
  everything: words.length === 0,
};

const addon = native();
const { path, version } = addon.info();
const about = machine({ path, version });
const all = {
  ...inOneThread({ ...resetCases(), ...metricsCases() }),
  ...decodeCases(),
  ...imageCases(),
  ...endToEndCases(),
  ...sweepCases(),
  ...drawCases(),
  ...designCases(),
  ...queueCases(),
  ...startCases(),
  ...soakCases(),
  ...gpuCases(),
};
const names = chosen(Object.keys(all));
if (names.length === 0) {
  console.error(`No case is called ${words.join(' ')}. There are: ${Object.keys(all).join(', ')}.`);
  process.exit(2);
}

// Temporary folders go with the process; without this an interrupt would leave them.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
if (!json)
  console.log(
    `${about.cpu}, ${about.cores} cores, ${about.platform} ${about.arch}, node ${about.node}, path ${path}`,
  );
const results = {};
for (const name of names) {
  const { result, text, failed = false } = await all[name](options).catch(giveUp);
  results[name] = result;
  if (failed) process.exitCode = 1;
  if (!json) console.log(`\n${name}\n${text}`);
}
if (json) console.log(JSON.stringify({ machine: about, results }, null, 2));

/** @param {Record<string, () => Case>} cases */
function inOneThread(cases) {
  const one = (prepare) => async () => {
    const { contestants, ...how } = prepare();
    const result = measure(contestants, { ...how, ...(options.rounds && { rounds: options.rounds }) });
    addon.usePath(path);
    return { result, text: table(result) };
  };
  return Object.fromEntries(Object.entries(cases).map(([name, prepare]) => [name, one(prepare)]));
}

/** A case's whole name means only that case, though it may be a part of another's. */
function chosen(all) {
  if (all.includes(words.join(' '))) return [words.join(' ')];
  return all.filter((name) => !apart.includes(name) && words.every((word) => name.includes(word)));
}

/** A case that cannot be measured here says why in one line. */
function giveUp(error) {
  if (error.exitCode === undefined) throw error;
  console.error(error.message);
  process.exit(error.exitCode);
}

function positive(name, text) {
  const value = Number(text);
  const whole = name === 'minutes' || Number.isInteger(value);
  if (value > 0 && Number.isFinite(value) && whole) return value;
  console.error(`--${name} takes a ${name === 'minutes' ? '' : 'whole '}number above 0, got ${text}`);
  process.exit(2);
}
