/** Runs the built command line as a person would, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Summary } from '../../src/run/summary.js';
import { parseSweepEvent } from '../../src/sweep/events.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Not the user's own. */
const cache = mkdtempSync(join(tmpdir(), 'critmap-test-cache-'));
process.once('exit', () => rmSync(cache, { recursive: true, force: true }));

export const start = (...args: string[]): ChildProcess => startIn({}, ...args);

/** With an environment's variables besides. */
function startIn(variables: NodeJS.ProcessEnv, ...args: string[]): ChildProcess {
  const env = { ...process.env, XDG_CACHE_HOME: cache, ...variables };
  return spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
}

export function outcome(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (text) => (stdout += text));
    child.stderr?.on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export const critmap = (...args: string[]) => outcome(start(...args));

export const critmapIn = (variables: NodeJS.ProcessEnv, ...args: string[]) =>
  outcome(startIn(variables, ...args));

/** What a sweep with `--json` ends with. */
export function summaryIn(stdout: string): Summary {
  const last = parseSweepEvent(stdout.trimEnd().split('\n').at(-1) ?? '');
  if (last.event === 'done' && last.summary) return last.summary;
  throw new Error(`the sweep ended with ${last.event}`);
}
