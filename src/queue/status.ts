/** What a queue is doing: its sweeps, how far they are, who computes, and what is parked. */
import { Queue } from 'bullmq';
import { keysOf, nameOfJob, OFFERED, offeredSweep, type PartJob, queueOf, readMessage } from './messages.js';
import { connect, PREFIX } from './redis.js';
import type { Server } from './server.js';

export interface SweepStatus {
  sweep: string;
  name: string;
  images: number;
  layers: number;
  /** Layers times draws times images. */
  done: number;
  total: number;
  waiting: number;
  active: number;
  parked: { job: string; why: string }[];
  workers: string[];
}

/** @throws CritmapError (ERR_QUEUE) */
export async function queueStatus(server: Server): Promise<SweepStatus[]> {
  const { client, leave } = await connect(server, { onConnection() {} });
  try {
    const found: SweepStatus[] = [];
    for (const sweep of (await client.smembers(OFFERED)).sort()) {
      const keys = keysOf(sweep);
      const offer = readMessage(offeredSweep, await client.get(keys.offer));
      if (!offer) continue;
      const { identity, name, targets } = offer;
      const { done = '0', total = '0' } = await client.hgetall(keys.progress);
      const queue = new Queue<PartJob>(queueOf(sweep), { connection: client, prefix: PREFIX });
      queue.on('error', () => {});
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
      const failed = await queue.getFailed();
      const workers = await queue.getWorkers();
      await queue.close();
      const { active = 0, ...waiting } = counts;
      found.push({
        ...{ sweep, name, images: identity.data.images },
        layers: new Set(targets.map(({ layer }) => layer)).size,
        done: Number(done),
        total: Number(total),
        waiting: Object.values(waiting).reduce((sum, count) => sum + count, 0),
        active,
        parked: failed.map(({ data, failedReason }) => ({ job: nameOfJob(data), why: failedReason ?? '' })),
        workers: workers.map((worker) => String(worker.rawname ?? worker.name).replace(/^.*:w:/, '')),
      });
    }
    return found;
  } finally {
    leave();
  }
}
