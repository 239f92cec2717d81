/** The commands that compute what runs that were put together lack. Pure. */
import type { RunInfo } from '../run/run.js';
import { coverage } from './part.js';
import type { Missing, WholeSweep } from './whole-sweep.js';

export interface Source {
  directory: string;
  info: RunInfo;
}

/** Lines for a shell; where a run does not know its command, words that say what to do. */
export function commandsFor(
  whole: WholeSweep,
  sources: readonly Source[],
  missing: readonly Missing[],
): string[] {
  const of = commonest(sources.flatMap(({ info }) => info.shard?.of ?? []));
  if (of === undefined) {
    return sources.map(({ info, directory }) =>
      info.command ? shellWords(['critmap', ...info.command]) : `repeat the sweep of ${directory}`,
    );
  }
  const lacking = whole.shards(of).flatMap((parts, i) => {
    const isCovered = coverage(parts);
    const isLacking = missing.some(({ layer, reset, chunks }) =>
      layer === null
        ? chunks.some((chunk) => parts.some(({ from, to }) => from <= chunk && chunk < to))
        : chunks.some((chunk) => isCovered({ layer, reset: reset! }, chunk)),
    );
    return isLacking ? [i + 1] : [];
  });
  const commands = lacking.map((index) => {
    const own = sources.find(({ info }) => info.shard?.of === of && info.shard.index === index);
    const like = own ?? sources.find(({ info }) => info.shard?.of === of)!;
    if (!like.info.command) return `sweep with the shard ${index}/${of}`;
    if (own) return shellWords(['critmap', ...like.info.command]);
    return shellWords(['critmap', ...ofShard(like.info.command, like.info.shard!.index, index, of)]);
  });
  return [...commands, `sbatch --array=${lacking.join(',')} SCRIPT`];
}

function commonest(numbers: readonly number[]): number | undefined {
  const count = (n: number) => numbers.filter((one) => one === n).length;
  return [...numbers].sort((a, b) => count(b) - count(a) || a - b)[0];
}

/** The words of one shard's command for another: its number, and places named after it. */
export function ofShard(words: readonly string[], from: number, to: number, of: number): string[] {
  const replaced = withOption(words, 'shard', () => `${to}/${of}`);
  const another = (place: string) => {
    const numbered = new RegExp(`^(.*?)(0*)${from}(\\D*)$`).exec(place);
    if (!numbered || /\d$/.test(numbered[1]!)) return `${place}-${to}`;
    const width = numbered[2]!.length + String(from).length;
    return `${numbered[1]}${numbered[2] ? String(to).padStart(width, '0') : to}${numbered[3]}`;
  };
  return withOption(withOption(replaced, 'out', another), 'trace', another);
}

export function withOption(
  words: readonly string[],
  name: string,
  change: (value: string) => string,
): string[] {
  return words.map((word, i) => {
    if (words[i - 1] === `--${name}`) return change(word);
    return word.startsWith(`--${name}=`) ? `--${name}=${change(word.slice(name.length + 3))}` : word;
  });
}

export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
