/**
 * npm run bench [WORD ...] [-- --json]: measures the cases whose name contains all words, or all of them.
 *
 * @typedef {{ contestants: Record<string, () => void>, work: number, unit: string, rounds?: number }} Case
 */
import { native } from '../dist/native.js';
import { machine, measure, table } from './measure.mjs';
import { metricsCases } from './metrics.mjs';
import { resetCases } from './reset.mjs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const json = process.argv.includes('--json');

const addon = native();
const { path, version } = addon.info();
const about = machine({ path, version });
const cases = Object.entries({ ...resetCases(), ...metricsCases() }).filter(([name]) =>
  words.every((word) => name.includes(word)),
);
if (cases.length === 0) {
  console.error(
    `No case is called ${words.join(' ')}. There are: ${Object.keys({ ...resetCases(), ...metricsCases() }).join(', ')}.`,
  );
  process.exit(2);
}

if (!json)
  console.log(
    `${about.cpu}, ${about.cores} cores, ${about.platform} ${about.arch}, node ${about.node}, path ${path}`,
  );
const results = {};
for (const [name, prepare] of cases) {
  const { contestants, ...how } = prepare();
  results[name] = measure(contestants, how);
  addon.usePath(path);
  if (!json) console.log(`\n${name}\n${table(results[name])}`);
}
if (json) console.log(JSON.stringify({ machine: about, results }, null, 2));
