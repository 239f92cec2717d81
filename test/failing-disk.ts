/** A disk that fails at the n-th thing that is asked of it, for tests. */
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { sep } from 'node:path';

export interface Failing {
  /** Which call fails, from 0. */
  at: number;
  code: 'ENOSPC' | 'EIO';
  /** That one alone, or every one from it on. */
  once: boolean;
}

/** What writes, makes sure that it is written, or gives it its name. */
const CALLS = ['mkdir', 'rename', 'writeFile'] as const;
const METHODS = ['write', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate'] as const;

/**
 * Does `work` while calls that write below `folder` fail as asked; writes do a half of their work first.
 * @returns how many calls there were
 */
export async function onFailingDisk(folder: string, failing: Failing | null, work: () => Promise<void>) {
  const original = { open: fs.open, mkdir: fs.mkdir, rename: fs.rename, writeFile: fs.writeFile };
  let calls = 0;
  const fails = () => {
    const call = calls++;
    return failing !== null && (failing.once ? call === failing.at : call >= failing.at);
  };
  const error = (syscall: string) =>
    Object.assign(new Error(`${failing?.code}: injected, ${syscall}`), { code: failing?.code, syscall });
  const inside = (path: unknown) => String(path) === folder || String(path).startsWith(folder + sep);
  type Call = (...args: unknown[]) => Promise<unknown>;
  const guarded =
    (name: string, call: Call, half?: Call) =>
    async (...args: unknown[]) => {
      if (!fails()) return call(...args);
      await half?.(...args);
      throw error(name);
    };
  const halfOf =
    (call: Call): Call =>
    (data, ...rest) => {
      const whole = Buffer.from(data as string);
      return call(whole.subarray(0, whole.length / 2), ...rest);
    };
  const patched: Record<string, Call> = {};
  for (const name of CALLS) {
    const call = original[name] as Call;
    const failable = guarded(name, call, name === 'writeFile' ? halfOf(call) : undefined);
    patched[name] = (...args) => (inside(args[0]) ? failable(...args) : call(...args));
  }
  patched.open = async (...args) => {
    if (!inside(args[0])) return (original.open as Call)(...args);
    // To read or to write; a name is made or not.
    if (args[1] !== 'r' && args[1] !== undefined && fails()) throw error('open');
    const handle = (await (original.open as Call)(...args)) as FileHandle;
    for (const name of METHODS) {
      const call = (handle[name] as Call).bind(handle);
      const halves = name === 'writeFile' || name === 'appendFile';
      Object.assign(handle, { [name]: guarded(name, call, halves ? halfOf(call) : undefined) });
    }
    return handle;
  };
  Object.assign(fs, patched);
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  }
  return calls;
}
