/** A disk that becomes full, for tests where no small one can be mounted. */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { sep } from 'node:path';

/**
 * Does `work` while files below `folder` take so many bytes more and then fail as on a full disk, the last write after
 * a part of it. Bytes that are deleted meanwhile are not given back.
 */
export async function onFullDisk<T>(folder: string, bytes: number, work: () => Promise<T>): Promise<T> {
  const { open, writeFile } = fs;
  let left = bytes;
  const take = (wanted: number) => {
    const taken = Math.min(left, wanted);
    left -= taken;
    return taken;
  };
  const full = () =>
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  const inside = (path: unknown) => String(path).startsWith(folder + sep);
  const partly = (write: (data: Buffer) => Promise<void>) => async (data: string | Buffer) => {
    const whole = Buffer.from(data as string);
    const taken = take(whole.length);
    await write(whole.subarray(0, taken));
    if (taken < whole.length) throw full();
  };
  const limited = async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    if (!inside(args[0])) return handle;
    const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<unknown>;
    return Object.assign(handle, {
      write: async (buffer: Buffer, offset: number, length: number, position: number) => {
        const taken = take(length);
        if (taken === 0) throw full();
        return write(buffer, offset, taken, position);
      },
      writeFile: partly(handle.writeFile.bind(handle)),
      appendFile: partly(handle.appendFile.bind(handle)),
    });
  };
  const limitedWriteFile = async (...[path, data, options]: Parameters<typeof writeFile>) => {
    if (!inside(path)) return writeFile(path, data, options);
    await partly((part) => writeFile(path, part, options))(data as string);
  };
  Object.assign(fs, { open: limited, writeFile: limitedWriteFile });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, { open, writeFile });
    syncBuiltinESMExports();
  }
}
