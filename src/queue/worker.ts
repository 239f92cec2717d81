/**
 * The side of a queue that computes. A worker takes one offered sweep after the other, opens its model and images once,
 * holds them against the offer, and computes parts until there are no more. It may come and go at any time.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf } from '../errors.js';
import { isDeviceLost } from '../native/open-engine.js';
import { differencesOf, sealOf } from '../run/identity.js';
import { writeLine } from '../run/journal-line.js';
import type { PartRunner } from '../sweep/part-runner.js';
import { version } from '../version.js';
import {
  jobKeysOf,
  keysOf,
  OFFERED,
  type OfferedSweep,
  offeredSweep,
  type PartJob,
  type PartResult,
  partJob,
  queueOf,
  readMessage,
} from './messages.js';
import { removeGraph, removeLeftovers } from './offer.js';
import { connectionNameOf } from './presence.js';
import { type Connection, checkServer, connect, PREFIX } from './redis.js';
import type { Server } from './server.js';

export interface WorkerOptions {
  server: Server;
  /** Opens what an offer names. */
  open: (offer: OfferedSweep, signal: AbortSignal) => Promise<PartRunner>;
  onMessage: (message: string) => void;
  signal: AbortSignal;
  /** Ends when there has been nothing to compute for so long, also where a sweep waits for its coordinator; default never. */
  idleMs?: number | undefined;
  /** A job of a worker that has given no sign of life for so long is given to another. */
  lockMs?: number | undefined;
}

/** While one part's last images are computed, the next one's are decoded. */
const AT_ONCE = 2;
const LOCK_MS = 30_000;
/** How often a job may be taken from a worker that is gone, before it is taken for what ends workers. */
const MOST_STALLS = 5;
const LOOK_MS = 500;
/** Results that wait for the coordinator; more would fill the server's memory. */
const MOST_RESULTS = 256;
/** How long a sweep is held after the server came back without it, for its coordinator to offer it again. */
const PATIENCE_MS = 10_000;
/** What parts that are under way may take to go back to the queue, from a server that may be away. */
const GIVE_BACK_MS = 5000;

/** @throws CritmapError (ERR_QUEUE) when the server cannot be used; the signal's reason */
export async function serveQueue(options: WorkerOptions): Promise<void> {
  const { server, onMessage, signal, idleMs = Number.POSITIVE_INFINITY } = options;
  const name = `${hostname()}-${process.pid}`;
  const connection = await connect(server, {
    onConnection: onMessage,
    connectionName: connectionNameOf(name),
  });
  const { client } = connection;
  /** Sweeps that cannot be computed here, each with the offer that was refused. */
  const refused = new Map<string, string>();
  const leaveLater = () => setTimeout(() => connection.leave(), GIVE_BACK_MS).unref();
  signal.addEventListener('abort', leaveLater, { once: true });
  try {
    await checkServer(client, server);
    onMessage(`worker ${name} at ${server.place}`);
    // By a clock that nobody sets.
    let lastWork = performance.now();
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() - lastWork > idleMs) return;
      const found = await nextSweep(client, refused);
      if (found) lastWork = await serveSweep(found, connection, name, options, refused);
      else await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', leaveLater);
    connection.leave();
  }
}

interface Found {
  sweep: string;
  text: string;
}

/** One that has jobs; else one whose jobs others have or that wait for another try, which somebody must look after. */
async function nextSweep(
  client: Redis,
  refused: ReadonlyMap<string, string>,
  onlyWaiting = false,
): Promise<Found | null> {
  let attended: Found | null = null;
  for (const sweep of (await client.smembers(OFFERED)).sort()) {
    const text = await client.get(keysOf(sweep).offer);
    if (text === null || refused.get(sweep) === text) continue;
    if (await isFull(client, sweep)) continue;
    const { waiting, delayed, active } = jobKeysOf(sweep);
    if ((await client.llen(waiting)) > 0) return { sweep, text };
    if ((await client.zcard(delayed)) + (await client.llen(active)) > 0) attended ??= { sweep, text };
  }
  return onlyWaiting ? null : attended;
}

/** Whether so many results wait for the coordinator that it must be away, or slow. */
const isFull = async (client: Redis, sweep: string) =>
  (await client.xlen(keysOf(sweep).results)) > MOST_RESULTS;

/** Whether all of a sweep is done or in other hands, or waits for its coordinator, and another one has jobs. */
async function isNeededElsewhere(
  { sweep, client }: Serving,
  own: number,
  refused: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { waiting, delayed } = jobKeysOf(sweep);
  if (own > 0) return false;
  const jobs = (await client.llen(waiting)) + (await client.zcard(delayed));
  if (jobs > 0 && !(await isFull(client, sweep))) return false;
  return (await nextSweep(client, refused, true)) !== null;
}

/**
 * One sweep from its opening until it is not offered any more, or another one has more to do.
 * @returns when there was something to compute last, by `performance.now()`
 */
async function serveSweep(
  { sweep, text }: Found,
  connection: Connection,
  name: string,
  options: WorkerOptions,
  refused: Map<string, string>,
): Promise<number> {
  const { onMessage, signal } = options;
  const { client } = connection;
  let runner: PartRunner;
  try {
    runner = await openOffer(sweep, text, client, options);
  } catch (error) {
    signal.throwIfAborted();
    if (isDeviceLost(error)) throw error;
    // One that is over is not refused: it may be offered anew.
    if ((await client.exists(keysOf(sweep).offer)) > 0) {
      refused.set(sweep, text);
      onMessage(`warning: a sweep is left to other workers: ${messageOf(error)}`);
    }
    return performance.now();
  }
  try {
    onMessage(`computing ${runner.identity.model.name}`);
    const lastWork = await work({ sweep, text, connection, client, name, runner }, options, refused);
    onMessage(`${runner.identity.model.name} has nothing more to do`);
    return lastWork;
  } finally {
    await runner.close();
  }
}

async function openOffer(
  sweep: string,
  text: string,
  client: Redis,
  { open, signal }: WorkerOptions,
): Promise<PartRunner> {
  const offer = readMessage(offeredSweep, text);
  if (!offer) throw new Error(`it is none, or of another version of critmap than ${version}`);
  const { critmap, identity, targets } = offer;
  if (critmap !== version) throw new Error(`it is of critmap ${critmap}, this is ${version}`);
  const runner = await open(offer, signal);
  try {
    const differences = differencesOf(identity, runner.identity);
    if (differences.length > 0) throw new Error(`here it would be another one (${differences.join('; ')})`);
    if (JSON.stringify(runner.targets) !== JSON.stringify(targets))
      throw new Error('here it has other layers');
    const { graph } = keysOf(sweep);
    await client.set(graph, runner.graph, 'NX');
    const wanted = await client.get(graph);
    // The others were quicker.
    if ((await client.exists(keysOf(sweep).offer)) === 0) {
      await removeGraph(client, sweep);
      throw new Error('it is done already');
    }
    if (wanted !== runner.graph) throw new Error(otherGraph(wanted, runner));
    return runner;
  } catch (error) {
    await runner.close();
    throw error;
  }
}

const otherGraph = (wanted: string | null | undefined, { graph }: PartRunner) =>
  `others compute its ${wanted} graph, here it would be the ${graph} one`;

interface Serving extends Found {
  connection: Connection;
  client: Redis;
  name: string;
  runner: PartRunner;
}

class PartWorker extends Worker<PartJob> {
  /** Renewing locks ends with `close` only, which waits for a server that may never come back. */
  letGo(): Promise<void> {
    return this.lockManager.close();
  }
}

/**
 * Parts until the sweep is withdrawn, another one has more to do, or there have been none for too long.
 * @returns when there was one last, by `performance.now()`
 */
async function work(serving: Serving, options: WorkerOptions, refused: Map<string, string>): Promise<number> {
  const { sweep, text, client, connection, runner } = serving;
  const { signal, lockMs = LOCK_MS, idleMs = Number.POSITIVE_INFINITY, onMessage } = options;
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const keys = keysOf(sweep);
  /** Why nothing more can be computed here, of any sweep. */
  let lost: unknown;
  /** Jobs under way here. */
  let own = 0;
  let lastWork = performance.now();
  const taking = connection.duplicate();
  const isLeft = new Promise<void>((resolve) => client.once('end', resolve));
  const worker = new PartWorker(
    queueOf(sweep),
    async (job, token) => {
      // A coordinator that is away takes none.
      while ((await isFull(client, sweep)) && !ended.aborted) await sleep(LOOK_MS);
      own++;
      const onLost = (error: unknown) => {
        lost ??= error;
        stop.abort(new Error('stopped'));
      };
      await compute(job, token, serving, ended, onLost).finally(() => {
        own--;
        lastWork = performance.now();
      });
    },
    {
      connection: taking,
      prefix: PREFIX,
      name: serving.name,
      concurrency: AT_ONCE,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      maxStalledCount: MOST_STALLS,
      drainDelay: 1,
    },
  );
  // It connects again by itself; the other connection tells of it.
  worker.on('error', () => {});
  worker.on('failed', (job, error) => {
    if (!stop.signal.aborted) onMessage(`warning: ${job?.id} failed: ${messageOf(error)}`);
  });
  try {
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal: ended }).catch(() => {});
      if (ended.aborted) break;
      if (own > 0) lastWork = performance.now();
      if (performance.now() - lastWork > idleMs) break;
      const [offer, graph] = await client.mget(keys.offer, keys.graph);
      // Opened again, it would have all its images checked again.
      if (offer === null && performance.now() - connection.backMs < PATIENCE_MS) continue;
      if (offer !== text) break;
      if (graph === null) {
        await client.set(keys.graph, runner.graph, 'NX');
      } else if (graph !== runner.graph) {
        refused.set(sweep, text);
        onMessage(`warning: a sweep is left to other workers: ${otherGraph(graph, runner)}`);
        break;
      }
      if (await isNeededElsewhere(serving, own, refused)) break;
    }
  } finally {
    // Parts that are under way go back to the queue, with what they have found.
    stop.abort(new Error('stopped'));
    await Promise.race([worker.close().catch(() => {}), isLeft]);
    await worker.letGo();
    taking.disconnect();
    await removeLeftovers(client, sweep).catch(() => {});
  }
  signal.throwIfAborted();
  if (lost !== undefined) throw lost;
  return lastWork;
}

/**
 * Sends what a part comes to; one that was stopped, or whose card is lost, goes back to the queue, and what it has found is
 * sent all the same.
 */
async function compute(
  job: Job<PartJob>,
  token: string | undefined,
  { sweep, client, name, runner }: Serving,
  signal: AbortSignal,
  onLost: (error: unknown) => void,
): Promise<void> {
  const { first, last, from, to } = partJob.parse(job.data);
  const keys = keysOf(sweep);
  const stopped = new Set((await client.smembers(keys.stopped)).map(Number));
  const targets = runner.targets.slice(first, last).filter((_, i) => !stopped.has(first + i));
  const seal = sealOf(runner.identity);
  const lines: string[] = [];
  const send = async () => {
    if (lines.length === 0) return;
    const { graph, warnings } = runner;
    const told = { graph, lines, warnings: [...warnings], spent: runner.takeSpent() };
    const result: PartResult = { job: job.id ?? '', worker: name, ...told };
    await client.xadd(keys.results, '*', 'result', JSON.stringify(result));
  };
  try {
    // A part of the untouched model alone has no targets, one whose layers are all known is not wanted.
    if (targets.length > 0 || first === last) {
      await runner.run({ targets, from, to }, (line) => lines.push(writeLine(line, seal).trimEnd()), signal);
    }
  } catch (error) {
    const isLost = isDeviceLost(error);
    if (!signal.aborted && !isLost) throw error;
    if (isLost) onLost(error);
    await send();
    // Not for later: by this machine's clock another's now may be far away.
    await job.moveToWait(token);
    throw new WaitingError();
  }
  await send();
}
