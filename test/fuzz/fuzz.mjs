/**
 * The loop that feeds damaged files to readers. Case i of seed s is case 0 of seed s + i: a failing one is found again
 * by a count of 1. Files of a run that did not end are left in the temporary folder.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CritmapError } from '../../dist/errors.js';
import { mutate, randomOf } from './mutate.mjs';

/**
 * What reads files of one kind: `run` one at a time, `runAll` a batch of them at once.
 * @typedef {object} Reader
 * @property {readonly Buffer[]} seeds whole files that the damaged ones are made of
 * @property {(bytes: Buffer) => Promise<void>} [run]
 * @property {(files: readonly Buffer[], first: number) => Promise<(Error | null)[]>} [runAll] what each file ended
 *   with, null if it was read; `first` is the number of the first
 * @property {number} [batch] with `runAll`: files at once
 * @property {typeof mutate} [damage] how a file is damaged; default `mutate`
 * @property {number} [mostBytes] that the process may come to hold, of readers that must hold more than a file
 */

const MOST_FAILURES = 10;
const MOST_REASONS = 12;
const PROGRESS = 10_000;

export const folder = mkdtempSync(join(tmpdir(), 'critmap-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** @returns {string} the path of a file of this content in a folder of this process */
export function written(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Whether an input may end so: in one line of critmap's own. */
export const fair = (error) => error instanceof CritmapError && !/[\n\r]/.test(error.message);

/** The most memory the process has held. Linux's getrusage counts from before exec, so a large parent's too. */
function peakBytes() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

function damaged({ seeds, damage = mutate }, number) {
  const random = randomOf(number);
  return damage(seeds[random(seeds.length)], seeds, random);
}

async function outcomes({ run, runAll }, files, first) {
  if (runAll) return runAll(files, first).catch((error) => files.map(() => error));
  return run(files[0]).then(
    () => [null],
    (error) => [error],
  );
}

/** Of errors that differ only in numbers and names there is one reason. */
const reasonOf = (error) =>
  (error.problem ?? error.message)
    .replaceAll(folder, '')
    .replace(/"[^"]*"/g, '""')
    .replace(/-?\d+/g, '#')
    .slice(0, 80);

async function fuzz(name, reader, seed, count) {
  const batch = reader.batch ?? 1;
  const failures = [];
  const reasons = new Map();
  let accepted = 0;
  let slowestMs = 0;
  let largest = 0;
  let before = 0;
  for (let done = 0; done < count && failures.length < MOST_FAILURES; ) {
    const first = seed + done;
    // The same batches wherever one begins, but for those that are left out.
    const length = Math.min(count - done, batch - (first % batch));
    const files = Array.from({ length }, (_, at) => damaged(reader, first + at));
    for (const bytes of files) largest = Math.max(largest, bytes.length);
    const start = performance.now();
    for (const [at, error] of (await outcomes(reader, files, first)).entries()) {
      if (error === null) accepted++;
      else if (fair(error)) reasons.set(reasonOf(error), (reasons.get(reasonOf(error)) ?? 0) + 1);
      else failures.push({ seed: first + at, error: String(error?.stack ?? error).slice(0, 600) });
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
    // By then the code is compiled, and the heap as large as these files alone make it.
    if (before === 0 && done >= count / 20) before = peakBytes();
    if (Math.floor((done + length) / PROGRESS) > Math.floor(done / PROGRESS)) {
      console.error(`${name}: ${done + length} of ${count}, slowest ${Math.round(slowestMs)} ms`);
    }
    done += length;
  }
  const most = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, MOST_REASONS);
  return {
    reader: name,
    seed,
    count,
    accepted,
    refused: [...reasons.values()].reduce((sum, of) => sum + of, 0),
    failures,
    slowestMs: Math.round(slowestMs),
    grownBytes: peakBytes() - before,
    largest,
    reasons: reasons.size,
    mostOften: Object.fromEntries(most),
  };
}

/**
 * What a script does with `READER SEED COUNT` of its command line, READER being one, several with commas, or all:
 * prints a JSON line per reader, and ends with 1 if an input did not end well or the process has held more than 10 x
 * the largest file and 64 MB, or `mostBytes`, above what it held after the first inputs.
 * @param {Record<string, Reader>} readers
 */
export async function fuzzAll(readers) {
  const [wanted = 'all', seed = '1', count = '1000'] = process.argv.slice(2);
  const names = wanted === 'all' ? Object.keys(readers) : wanted.split(',');
  for (const name of names) {
    const result = await fuzz(name, readers[name], Number(seed), Number(count));
    console.log(JSON.stringify(result));
    const most = readers[name].mostBytes ?? 10 * result.largest + 64 * 2 ** 20;
    const tooMuch = result.grownBytes > most;
    if (result.failures.length > 0 || tooMuch) process.exitCode = 1;
  }
}
