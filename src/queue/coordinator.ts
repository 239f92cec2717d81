/**
 * The side of a queue that has the run directory: it offers a sweep, adds jobs for what the journal lacks, and takes
 * results into the journal, which alone says what is finished. Jobs and results may be lost or come twice: what is still
 * lacking is added again, and a line counts once.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Target, targetsOf } from '../design/cells.js';
import type { ComputedGraph } from '../engines/engine.js';
import { CritmapError } from '../errors.js';
import type { JournalLine } from '../run/finished.js';
import { sealOf } from '../run/identity.js';
import { readLine } from '../run/journal-line.js';
import { type Lacking, lackingChunks, unitsOf } from '../sweep/compute.js';
import { targetKey } from '../sweep/part.js';
import { ProgressCount } from '../sweep/progress.js';
import type { Subject, SweepRecord } from '../sweep/record.js';
import type { SweepOptions } from '../sweep/settings.js';
import { costsOf } from '../sweep/shard-costs.js';
import type { Computer } from '../sweep/sweep.js';
import { version } from '../version.js';
import { type Costs, jobsOf, type LackingChunk } from './jobs.js';
import {
  keysOf,
  nameOfJob,
  OFFERED,
  type OfferedSweep,
  type PartJob,
  partResult,
  queueOf,
  readMessage,
} from './messages.js';
import { isOffered, putOffer } from './offer.js';
import { WorkerWatch } from './presence.js';
import { checkServer, connect, PREFIX } from './redis.js';
import type { Server } from './server.js';

export interface QueueOptions {
  server: Server;
  /** What workers open: the words of the sweep's command. */
  job: OfferedSweep['job'];
  onMessage: (message: string) => void;
  /** Milliseconds without a result after which what is lacking is held against the queue. */
  quietMs?: number;
  /** Milliseconds without a worker after which it is said how to start one. */
  aloneMs?: number;
}

/** A part that fails is tried so often, a second and then two later, before it is parked. */
const ATTEMPTS = 3;
const BACKOFF = { type: 'exponential', delay: 1000 } as const;
const QUIET_MS = 5000;
const RESULTS_AT_ONCE = 16;
const BLOCK_MS = 500;
/** What queue events keep; nobody reads them. */
const EVENTS = 100;

/** What a sweep computes with, in place of its own engine. */
export function throughQueue(queueOptions: QueueOptions): Computer {
  return async (subject, record, options) => {
    const { server, onMessage } = queueOptions;
    const hooks = { onConnection: onMessage };
    // Taking results blocks a connection; everything else has another.
    const connection = await connect(server, hooks);
    const { client } = connection;
    const taking = connection.duplicate();
    const sweep = idOf(record, options.out ?? '.');
    const queue = new Queue(queueOf(sweep), {
      connection: client,
      prefix: PREFIX,
      streams: { events: { maxLen: EVENTS } },
    });
    queue.on('error', () => {});
    const { signal } = options;
    signal?.addEventListener('abort', connection.leave, { once: true });
    try {
      for (const warning of await checkServer(client, server)) onMessage(`warning: ${warning}`);
      await new Coordinator(sweep, queue, client, taking, subject, record, queueOptions).run(options);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', connection.leave);
      const closed = queue.close().catch(() => {});
      if (!signal?.aborted) await closed;
      connection.leave();
    }
  };
}

/** A coordinator that comes again finds its jobs; another one of the same sweep does not take them. */
const idOf = ({ identity }: SweepRecord, out: string) =>
  createHash('sha256')
    .update(JSON.stringify([sealOf(identity), identity.model.sha256, hostname(), resolve(out)]))
    .digest('hex')
    .slice(0, 16);

class Coordinator {
  readonly #keys: ReturnType<typeof keysOf>;
  readonly #seal: number;
  readonly #targets: readonly Target[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #parked = new Map<string, string>();
  readonly #watch: WorkerWatch;
  /** What the run is computed from, once a result has told. */
  #graph: ComputedGraph | null;
  #costs: Costs | null = null;
  /** Lines on their way to the disk, of which another worker may have sent the same. */
  readonly #adding = new Set<string>();

  constructor(
    private readonly sweep: string,
    private readonly queue: Queue<PartJob>,
    private readonly client: Redis,
    private readonly taking: Redis,
    private readonly subject: Subject,
    private readonly record: SweepRecord,
    private readonly options: QueueOptions,
  ) {
    this.#keys = keysOf(sweep);
    this.#seal = sealOf(record.identity);
    this.#targets = targetsOf(subject.cells);
    this.#numbers = new Map(this.#targets.map((target, i) => [keyOf(target), i]));
    this.#graph = record.graph;
    const { server, onMessage, aloneMs } = options;
    this.#watch = new WorkerWatch(queue, client, server, onMessage, aloneMs);
  }

  async run({ signal, onProgress }: SweepOptions): Promise<void> {
    const { subject, record } = this;
    const progress = new ProgressCount(
      subject.cells,
      subject.images.count,
      onProgress,
      record.stopping?.expectation,
    );
    const lacking = this.#lacking();
    progress.begin(unitsOf(lacking));
    await this.#offer();
    await this.#removeParked();
    await this.#addJobs(lacking);
    // By a clock that nobody sets.
    let lastResult = performance.now();
    while (this.#lacking().length > 0) {
      signal?.throwIfAborted();
      const isLost = await this.#keepOffered();
      const taken = await this.#take(progress);
      await this.#tellStopped();
      await this.#tellProgress();
      const isQuiet = performance.now() - lastResult > (this.options.quietMs ?? QUIET_MS);
      if (taken > 0) this.#watch.heard();
      if (isLost || (isQuiet && taken === 0)) await this.#reconcile();
      if (isQuiet || taken > 0) lastResult = performance.now();
      await this.#watch.look();
    }
    await this.#withdraw();
  }

  /** Chunks and targets without a result, but for those that are known well enough. */
  #lacking(): Lacking[] {
    const { subject, record } = this;
    return lackingChunks(subject, record.finished).flatMap((chunk) => {
      const targets = chunk.targets.filter((target) => !record.stopping?.isStopped(target));
      const isDone =
        targets.length === 0 && (chunk.targets.length > 0 || record.finished.original.has(chunk.index));
      return isDone ? [] : [{ ...chunk, targets }];
    });
  }

  /** @returns whether the server had lost the offer */
  async #keepOffered(): Promise<boolean> {
    const { client, sweep, options } = this;
    if (await isOffered(client, sweep)) return false;
    options.onMessage(`Redis at ${options.server.place} has lost the sweep; it is offered again`);
    await this.#offer();
    return true;
  }

  async #offer(): Promise<void> {
    const { record, options, client, sweep } = this;
    const { identity } = record;
    const offer: OfferedSweep = {
      critmap: version,
      name: identity.model.name,
      identity,
      targets: this.#targets.map(({ layer, reset }) => ({ layer: layer.name, reset: reset.label })),
      job: options.job,
    };
    await putOffer(client, sweep, JSON.stringify(offer), this.#graph);
  }

  async #addJobs(lacking: readonly Lacking[]): Promise<void> {
    const { record } = this;
    const chunks: LackingChunk[] = lacking.map(({ index, images, targets }) => ({
      index,
      images,
      targets: targets.map((target) => this.#numbers.get(keyOf(target))!),
    }));
    this.#costs ??= await this.#costsOfTargets();
    const jobs = jobsOf(chunks, this.#costs, record.stopping !== null);
    const kept = { removeOnComplete: true, removeOnFail: false, attempts: ATTEMPTS, backoff: BACKOFF };
    await this.queue.addBulk(
      jobs
        .map(({ cost: _, ...job }) => job)
        .filter((job) => !this.#parked.has(nameOfJob(job)))
        .map((job) => ({ name: 'part', data: job, opts: { ...kept, jobId: nameOfJob(job) } })),
    );
  }

  /** Of the targets, in their order. */
  async #costsOfTargets(): Promise<Costs> {
    const { model, images, settings } = this.subject;
    const layers = [...new Set(this.#targets.map(({ layer }) => layer))];
    const { forward, layers: macs } = await costsOf(model, images, settings, layers);
    return {
      forward,
      targets: this.#targets.map(({ layer, cells }) => macs[layers.indexOf(layer)]! * cells.length),
    };
  }

  /** Results into the journal, and only then out of the queue. */
  async #take(progress: ProgressCount): Promise<number> {
    const { taking, client, record } = this;
    const key = this.#keys.results;
    const read = await taking.xread('COUNT', RESULTS_AT_ONCE, 'BLOCK', BLOCK_MS, 'STREAMS', key, '0');
    const entries = (read as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? [];
    const adding: Promise<void>[] = [];
    for (const [, [, text]] of entries) {
      const result = readMessage(partResult, text);
      if (result) {
        const { graph, lines, warnings, worker, spent } = result;
        record.tell(warnings);
        record.spent(spent);
        if (await this.#isOfRun(graph, worker)) adding.push(...this.#keep(lines, worker, progress));
      } else {
        this.options.onMessage(`warning: a result that is none came through the queue and is left out`);
      }
    }
    if (entries.length === 0) return 0;
    // One wait for the disk for all of them.
    await record.flush();
    await Promise.all(adding);
    await client.xdel(key, ...entries.map(([id]) => id));
    return entries.length;
  }

  /** Numbers of two graphs differ in their last bits: a run has those of one. The first result decides which. */
  async #isOfRun(graph: ComputedGraph, worker: string): Promise<boolean> {
    if (this.#graph === null) {
      await this.record.computes(graph);
      this.#graph = graph;
      await this.client.set(this.#keys.graph, graph);
    }
    if (this.#graph === graph) return true;
    this.options.onMessage(
      `warning: ${worker} computes the ${graph} graph, the run is of the ${this.#graph} one; what it sent is left out`,
    );
    return false;
  }

  #keep(lines: readonly string[], worker: string, progress: ProgressCount): Promise<void>[] {
    const { record } = this;
    const adding: Promise<void>[] = [];
    const add = (key: string, line: JournalLine) => {
      this.#adding.add(key);
      return record.add(line).finally(() => this.#adding.delete(key));
    };
    for (const text of lines) {
      const line = readLine(Buffer.from(text), this.#seal);
      if (!line) {
        this.options.onMessage(`warning: a damaged line came from ${worker}; what it had is computed again`);
        continue;
      }
      const isTarget = line.type === 'target';
      const key = JSON.stringify(isTarget ? [line.chunk, line.layer, line.reset] : [line.chunk]);
      if (this.#adding.has(key)) continue;
      if (!isTarget) {
        if (!record.finished.original.has(line.chunk)) adding.push(add(key, line));
        continue;
      }
      if (record.finished.chunksOf(line.layer, line.reset).has(line.chunk)) continue;
      const units = line.draws.reduce((sum, { images }) => sum + images, 0);
      adding.push(add(key, line).then(() => progress.add(units, line.layer)));
    }
    return adding;
  }

  /** Workers leave out what is known well enough. */
  async #tellStopped(): Promise<void> {
    const { stopping } = this.record;
    if (!stopping) return;
    const stopped = this.#targets.flatMap((target, i) => (stopping.isStopped(target) ? [`${i}`] : []));
    // The server may have lost some.
    if (stopped.length === (await this.client.scard(this.#keys.stopped))) return;
    await this.client.sadd(this.#keys.stopped, ...stopped);
  }

  async #tellProgress(): Promise<void> {
    const { subject } = this;
    const all = subject.cells.length * subject.images.count;
    const lacking = unitsOf(this.#lacking());
    await this.client.hset(this.#keys.progress, { done: all - lacking, total: all });
  }

  /** When nothing came for a while: jobs that are gone are added again, those that failed for good are told of. */
  async #reconcile(): Promise<void> {
    for (const job of await this.queue.getFailed()) {
      if (job.id && !this.#parked.has(job.id)) {
        this.#parked.set(job.id, job.failedReason ?? 'unknown');
        this.options.onMessage(`warning: ${this.#describe(job.data)} is parked: ${job.failedReason}`);
      }
    }
    const counts = await this.queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
    // They were put off by their workers' clocks, which may be wrong, for less than it has been quiet.
    if (counts.delayed) await this.queue.promoteJobs();
    const isIdle = Object.values(counts).every((count) => count === 0);
    if (!isIdle || (await this.client.xlen(this.#keys.results)) > 0) return;
    const lacking = this.#lacking();
    if (this.#parked.size > 0 && this.#othersIn(lacking) === 0) throw this.#parkedError();
    await this.#addJobs(lacking);
  }

  /** How many layers and chunks are lacking that no parked job has. */
  #othersIn(lacking: readonly Lacking[]): number {
    const covered = (chunk: number, target: number) =>
      [...this.#parked.keys()].some((name) => {
        const [from, to, first, last] = name.split('-').slice(1).map(Number);
        return from! <= chunk && chunk < to! && first! <= target && target < last!;
      });
    return lacking.flatMap(({ index, targets }) =>
      targets.filter((target) => !covered(index, this.#numbers.get(keyOf(target))!)),
    ).length;
  }

  #describe({ first, last, from, to }: PartJob): string {
    const layers = this.#targets.slice(first, last).map(({ layer }) => layer.name);
    const names = layers.length > 2 ? `${layers[0]} to ${layers.at(-1)}` : layers.join(' and ');
    return `${names || 'the untouched model'}, chunks ${from} to ${to - 1}`;
  }

  #parkedError(): CritmapError {
    const [[name, why]] = [...this.#parked] as [[string, string]];
    const others = this.#parked.size > 1 ? ` and ${this.#parked.size - 1} more` : '';
    return new CritmapError(
      'ERR_QUEUE',
      `${this.#parked.size} ${this.#parked.size === 1 ? 'part' : 'parts'} failed ${ATTEMPTS} times (${name}: ${why}${others}); all others are in ${this.record.place}. Repeat the command to try them again`,
    );
  }

  /** Of an earlier coordinator: they get another chance. */
  async #removeParked(): Promise<void> {
    for (const job of await this.queue.getFailed()) await job.remove().catch(() => {});
  }

  /** Nothing of the sweep stays in Redis. */
  async #withdraw(): Promise<void> {
    const { client, sweep, queue } = this;
    await client.srem(OFFERED, sweep);
    await client.del(...Object.values(this.#keys));
    // Workers that are at one of its jobs find that there is no sweep any more.
    await queue.obliterate({ force: true }).catch(() => {});
  }
}

const keyOf = ({ layer, reset }: Target) => targetKey(layer.name, reset.label);
