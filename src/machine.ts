/**
 * What of the machine this process may use. A job of a cluster or a container sees all cores and all memory, and has a
 * part of them: threads beyond it only wait for each other, and memory beyond it ends the process.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  /** Where `/proc` and `/sys` are. */
  root: string;
  env: NodeJS.ProcessEnv;
  /** Cores of the affinity mask. */
  cores: number;
  /** Bytes. */
  memory: number;
}

const here = (): Machine => ({
  root: '/',
  env: process.env,
  cores: availableParallelism(),
  memory: totalmem(),
});

/** Threads that can run at once: cores of the affinity mask, of the job and of the control groups, at least one. */
export function usableThreads({ root, env, cores }: Machine = here()): number {
  const job = countIn(env.SLURM_CPUS_PER_TASK);
  return Math.max(1, Math.min(cores, job ?? cores, Math.ceil(cpuQuota(root))));
}

/** Bytes that may be used: of the machine, of the job and of the control groups. */
export function usableMemory({ root, env, memory }: Machine = here()): number {
  const megabytes = 2 ** 20;
  const [perNode, perCore] = [countIn(env.SLURM_MEM_PER_NODE), countIn(env.SLURM_MEM_PER_CPU)];
  const cores = countIn(env.SLURM_CPUS_PER_TASK) ?? 1;
  const job = perNode ?? (perCore === null ? null : perCore * cores);
  return Math.min(memory, job === null ? memory : job * megabytes, memoryLimit(root));
}

/** Files that this process may have open at once; infinite where nothing is said of it. */
export function openFilesLimit(): number {
  // Without it Node asks the kernel for the machine's network interfaces, and looks up names.
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as { userLimits?: Record<string, { soft: unknown }> };
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft;
}

/** A whole number from 1; anything else says nothing. */
function countIn(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}

/** Cores that control groups allow, over all groups that this process is in; infinite without a limit. */
function cpuQuota(root: string): number {
  const quotas = groupFolders(root, 'cpu').map(({ folder, version }) => {
    if (version === 2) {
      const [quota, period] = read(join(folder, 'cpu.max'))?.split(' ') ?? [];
      return ratio(quota, period);
    }
    return ratio(read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us')));
  });
  return Math.min(Number.POSITIVE_INFINITY, ...quotas);
}

/** A quota that is `max` or -1 is none. */
function ratio(quota: string | null | undefined, period: string | null | undefined): number {
  const [of, per] = [countIn(quota ?? undefined), countIn(period ?? undefined)];
  return of === null || per === null ? Number.POSITIVE_INFINITY : of / per;
}

function memoryLimit(root: string): number {
  const limits = groupFolders(root, 'memory').map(({ folder, version }) => {
    const text = read(join(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes'));
    // Without a limit version 1 has a number near 2 ** 63, which is none of this form.
    return countIn(text ?? undefined) ?? Number.POSITIVE_INFINITY;
  });
  return Math.min(Number.POSITIVE_INFINITY, ...limits);
}

interface GroupFolder {
  folder: string;
  version: 1 | 2;
}

/** Folders of the groups of a controller, from this process's own up to the root: each of them may have a limit. */
function groupFolders(root: string, controller: string): GroupFolder[] {
  const lines = read(join(root, 'proc/self/cgroup'))?.split('\n') ?? [];
  return lines.flatMap((line) => {
    const [, id, controllers = '', path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    const isSecond = id === '0' && controllers === '';
    if (!isSecond && !controllers.split(',').includes(controller)) return [];
    const mount = join(root, 'sys/fs/cgroup', isSecond ? '' : controllers);
    const steps = path.split('/').filter(Boolean);
    return [...steps.keys(), steps.length].map((depth) => ({
      folder: join(mount, ...steps.slice(0, depth)),
      version: isSecond ? (2 as const) : (1 as const),
    }));
  });
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
