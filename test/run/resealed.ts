/** A journal that someone has changed by hand, who knew how its lines are checked. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sealOf } from '../../src/run/identity.js';
import { files } from '../../src/run/run.js';

/** Changes the text of a run's journal, and gives its lines the checksums of what they then hold. */
export function reseal(directory: string, change: (text: string) => string): void {
  const seal = sealOf(JSON.parse(readFileSync(join(directory, files.info), 'utf8')));
  const path = join(directory, files.journal);
  const lines = change(readFileSync(path, 'utf8')).split('\n').slice(0, -1);
  writeFileSync(path, lines.map((line) => `${resealed(line, seal)}\n`).join(''));
}

function resealed(line: string, seal: number): string {
  const body = line.replace(/,"check":"[0-9a-f]{8}"\}$/, '');
  return `${body},"check":"${crc32(body, seal).toString(16).padStart(8, '0')}"}`;
}
