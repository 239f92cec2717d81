/**
 * A file that is coming in, under a name that only this process writes to. What a process leaves that ends before the
 * file is whole, the next one takes over; of two that try, one gets it.
 */
import { randomBytes } from 'node:crypto';
import { constants, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const GO_ON = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const ENDING = '.incomplete';
/** `KEY~HOST~PIDS~PID~RANDOM.incomplete`; the key says which bytes they are. */
const NAME = /^([\w.=-]*)~([\w.-]+)~(\d+)~(\d+)~[0-9a-f]+\.incomplete$/;

const host = hostname().replace(/[^\w.-]/g, '_') || '_';
/** Numbers of processes mean something among those that share them: containers have their own. */
const pids = pidNamespace();
/** Those that this process is writing to. */
const active = new Set<string>();

export class PartialFile {
  private constructor(
    private readonly folder: string,
    private name: string,
    readonly handle: FileHandle,
  ) {}

  /**
   * The largest that was left behind in the folder, else an empty one.
   * @param key of a new one
   * @param isWanted whether one with this key is what is wanted
   */
  static async claim(folder: string, key: string, isWanted: (key: string) => boolean): Promise<PartialFile> {
    for (const { name, key } of await leftIn(folder, isWanted)) {
      const mine = nameFor(key);
      active.add(mine);
      try {
        await rename(join(folder, name), join(folder, mine));
        return new PartialFile(folder, mine, await open(join(folder, mine), GO_ON));
      } catch {
        // Another was quicker, or it is a link.
        active.delete(mine);
      }
    }
    const name = nameFor(key);
    active.add(name);
    try {
      return new PartialFile(folder, name, await open(join(folder, name), 'wx+'));
    } catch (error) {
      active.delete(name);
      throw error;
    }
  }

  get key(): string {
    return NAME.exec(this.name)?.[1] ?? '';
  }

  /** Empty again, and for other bytes. */
  async restart(key = this.key): Promise<void> {
    await this.handle.truncate(0);
    if (key === this.key) return;
    const name = nameFor(key);
    active.add(name);
    await rename(join(this.folder, this.name), join(this.folder, name));
    active.delete(this.name);
    this.name = name;
  }

  /** Whole: it gets its place, in the same file system. */
  async finish(target: string): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await rename(join(this.folder, this.name), target);
    active.delete(this.name);
  }

  /** For the next one that wants it. */
  async leave(): Promise<void> {
    const { size } = await this.handle.stat().catch(() => ({ size: 0 }));
    if (size === 0) return this.remove();
    await this.handle.close().catch(() => {});
    active.delete(this.name);
  }

  async remove(): Promise<void> {
    await this.handle.close().catch(() => {});
    await rm(join(this.folder, this.name), { force: true }).catch(() => {});
    active.delete(this.name);
  }
}

const nameFor = (key: string) =>
  `${key}~${host}~${pids}~${process.pid}~${randomBytes(4).toString('hex')}${ENDING}`;

async function leftIn(folder: string, isWanted: (key: string) => boolean) {
  const found: { name: string; key: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    const [, key, theirHost, theirPids, pid] = NAME.exec(name) ?? [];
    if (key === undefined || !isWanted(key) || theirHost !== host || theirPids !== pids) continue;
    const isLeft = Number(pid) === process.pid ? !active.has(name) : !isAlive(Number(pid));
    if (!isLeft) continue;
    const info = await lstat(join(folder, name)).catch(() => null);
    // What others may have put there is neither waited for nor followed.
    if (info?.isFile()) found.push({ name, key, size: info.size });
  }
  return found.sort((a, b) => b.size - a.size);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}
