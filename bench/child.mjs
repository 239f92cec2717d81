/**
 * Work in a process of its own, so that its peak memory and its event loop are nobody else's:
 * `inChild('./file.mjs', 'name', task)` gives what the file's export `name` makes of the task. Both cross as JSON.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);

export function inChild(file, name, task) {
  const child = fork(self, [file, name, JSON.stringify(task)]);
  return new Promise((resolve, reject) => {
    let answer;
    child.once('message', (message) => {
      answer = message;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer) resolve(answer.value);
      else reject(new Error(`${name} of ${file} ended with ${signal ?? code}`));
    });
  });
}

/** The most memory that this process has had resident. */
export function peakBytes() {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kilobytes) return Number(kilobytes) * 1024;
  } catch {
    // Not Linux.
  }
  // On Linux this would also count what the parent had when it forked.
  return process.resourceUsage().maxRSS * 1024;
}

async function answer([file, name, task]) {
  // A child whose parent was killed must not go on for minutes.
  process.once('disconnect', () => process.exit(1));
  const work = await import(new URL(file, import.meta.url).href);
  const value = await work[name](JSON.parse(task));
  process.send({ value }, () => process.exit(0));
}

// Not awaited: the modules of the work import this one, which must be complete by then.
if (process.argv[1] === self && process.send) answer(process.argv.slice(2));
