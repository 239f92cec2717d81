/**
 * Which of a study's sweeps are finished, so that a study that is repeated does not open models and images again to find
 * out. A stamp holds as long as the sweep's words and its files are what they were; what it does not notice (images that
 * were changed inside a folder) is met when runs are compared, by their fingerprints.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../files/replace.js';
import type { SweepWords } from '../request/open-sweep.js';
import { withPaths } from '../request/sweep-paths.js';
import { files } from '../run/run.js';
import { version } from '../version.js';

const stamps = z.record(z.string(), z.string());
const NAME = 'finished.json';

export class Stamps {
  private constructor(
    private readonly directory: string,
    private readonly found: Map<string, string>,
  ) {}

  static async open(directory: string): Promise<Stamps> {
    const text = await readFile(join(directory, NAME), 'utf8').catch(() => '{}');
    let known: unknown = {};
    try {
      known = JSON.parse(text);
    } catch {
      // Made anew: it says nothing that is not found out otherwise.
    }
    const checked = stamps.safeParse(known);
    return new Stamps(directory, new Map(Object.entries(checked.success ? checked.data : {})));
  }

  /** @param part - of the sweep, where it is not all of it */
  async isFinished(place: string, words: SweepWords, part: string): Promise<boolean> {
    const known = this.found.get(place);
    if (known === undefined || known !== (await stampOf(words, part))) return false;
    // A part has no summary.
    return exists(join(this.directory, place, part === '' ? files.summary : files.info));
  }

  async finish(place: string, words: SweepWords, part: string): Promise<void> {
    this.found.set(place, await stampOf(words, part));
    const all = Object.fromEntries([...this.found].sort(([a], [b]) => (a < b ? -1 : 1)));
    await replaceFile(join(this.directory, NAME), `${JSON.stringify(all, null, 1)}\n`);
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function stampOf(words: SweepWords, part: string): Promise<string> {
  const paths: string[] = [];
  const note = (path: string) => {
    paths.push(path);
    return path;
  };
  withPaths(words, { model: note, data: note });
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size, mtimeMs }) => [path, size, mtimeMs],
        () => [path],
      ),
    ),
  );
  const { threads: _, device: __, ...measured } = words.sweepChoices;
  const { cache: ___, cacheSize: ____, ...images } = words.imageChoices;
  const asked = { ...words, sweepChoices: measured, imageChoices: images };
  return createHash('sha256')
    .update(JSON.stringify([version, part, asked, found]))
    .digest('hex')
    .slice(0, 32);
}
