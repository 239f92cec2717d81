/** What a process asks the kernel for, by strace (Debian's package of that name). */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const withoutStrace =
  spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
    ? false
    : 'strace is not there, or may not trace';

export interface Traced {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Families of the sockets that were made, such as AF_INET. */
  sockets: string[];
  /** Files opened to be written or made, in order, with the flags as strace prints them. */
  written: { path: string; flags: string }[];
  /** Every path that was opened, or looked for. */
  opened: string[];
}

/**
 * Runs Node.js with a home, a cache and a temporary folder of its own below `folder`, and without what the tests'
 * environment says of ONNX Runtime.
 */
export async function traced(folder: string, args: string[]): Promise<Traced> {
  const [home, tmp, log] = ['home', 'tmp', 'strace.log'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const made of [home, tmp]) mkdirSync(made, { recursive: true });
  const { ORT_DISABLE_TELEMETRY: _, NODE_OPTIONS: __, XDG_CACHE_HOME: ___, ...rest } = process.env;
  const env = { ...rest, HOME: home, TMPDIR: tmp };
  const calls = 'trace=network,openat,open,creat';
  const child = spawn(
    'strace',
    ['-f', '-qq', '-s', '4096', '-e', calls, '-o', log, process.execPath, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  const [code] = await once(child, 'close');
  return { code, stdout, stderr, ...parse(readFileSync(log, 'utf8')) };
}

function parse(log: string): Pick<Traced, 'sockets' | 'written' | 'opened'> {
  const sockets = [...log.matchAll(/\bsocket\((\w+)/g)].map(([, family]) => family!);
  const opens = [...log.matchAll(/\bopen(?:at)?\((?:[^,"]+, )?"((?:[^"\\]|\\.)*)", ([\w|]+)/g)];
  const files = opens
    .map(([, path, flags]) => ({ path: path!, flags: flags! }))
    // tap's own notes of the processes that tests start.
    .filter(({ path }) => !path.includes('/.tap/processinfo/'));
  return {
    sockets,
    written: files.filter(({ flags }) => /O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE/.test(flags)),
    opened: files.map(({ path }) => path),
  };
}
