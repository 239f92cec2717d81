/**
 * A sweep's offer: while it is there, somebody wants the sweep's jobs computed, and nobody but its coordinator removes
 * what belongs to them. A server may lose it (one without a file that is killed comes back empty), hence it is looked
 * for again and again.
 */
import type { Redis } from 'ioredis';
import type { ComputedGraph } from '../engines/engine.js';
import { keysOf, OFFERED, queueOf } from './messages.js';
import { PREFIX } from './redis.js';

/**
 * Puts it there, all of it at once or nothing: with the graph that its workers must compute where that is known, and
 * without layers that an earlier coordinator of the sweep knew well enough.
 */
export async function putOffer(
  client: Redis,
  sweep: string,
  text: string,
  graph: ComputedGraph | null,
): Promise<void> {
  const keys = keysOf(sweep);
  const writing = client.multi().set(keys.offer, text).sadd(OFFERED, sweep).del(keys.stopped);
  if (graph !== null) writing.set(keys.graph, graph);
  await writing.exec();
}

/** Whether workers find it. */
export async function isOffered(client: Redis, sweep: string): Promise<boolean> {
  const [offers, listed] = await Promise.all([
    client.exists(keysOf(sweep).offer),
    client.sismember(OFFERED, sweep),
  ]);
  return offers > 0 && listed > 0;
}

/** Removes all keys but the first, unless that one is there. */
const REMOVE_UNLESS = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
return 1`;

/** Removes keys unless the sweep is offered; between the look and the removal nobody can offer it. */
const removeUnlessOffered = (client: Redis, sweep: string, keys: readonly string[]) =>
  client.eval(REMOVE_UNLESS, 1 + keys.length, keysOf(sweep).offer, ...keys);

/** A graph that a worker has named for a sweep that is over. */
export async function removeGraph(client: Redis, sweep: string): Promise<void> {
  await removeUnlessOffered(client, sweep, [keysOf(sweep).graph]);
}

/**
 * Of a sweep that is not offered any more. BullMQ keeps a few keys of a queue for as long as it has workers, also when
 * the queue is gone, and a part that ended late has put its results there.
 */
export async function removeLeftovers(client: Redis, sweep: string): Promise<void> {
  if (await client.exists(keysOf(sweep).offer)) return;
  const keys: string[] = Object.values(keysOf(sweep));
  for await (const found of client.scanStream({ match: `${PREFIX}:${queueOf(sweep)}:*`, count: 1000 })) {
    keys.push(...(found as string[]));
  }
  await removeUnlessOffered(client, sweep, keys);
}
