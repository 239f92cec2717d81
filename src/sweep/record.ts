/**
 * What a sweep has found so far and has told: in memory, and in the run directory if there is one, where every result is
 * on disk before it counts.
 */
import { type Cell, type ProvenCell, targetsOf } from '../design/cells.js';
import type { ComputedGraph } from '../engines/engine.js';
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';
import { writeDetails } from '../run/details.js';
import { Finished, type JournalLine } from '../run/finished.js';
import { imagesCsv } from '../run/images-csv.js';
import {
  files,
  type OpenRun,
  openRun,
  type RunIdentity,
  type RunInfo,
  refuseOtherGraph,
} from '../run/run.js';
import type { ShardPlan } from '../run/shard-plan.js';
import { addSeconds, noSeconds, peakMemoryBytes, type StageSeconds } from '../run/stages.js';
import { type Results, summarise } from '../run/summarise.js';
import { writeResults } from '../run/write-results.js';
import { baselineWarning } from './baseline.js';
import { identityOf, infoOf } from './identity.js';
import { observed, type SweepObserver } from './observer.js';
import type { Part } from './part.js';
import type { Settings, Shard, SweepOptions } from './settings.js';
import { Stopping } from './stopping.js';

/** What is swept over what. */
export interface Subject {
  model: Model;
  images: ImageSet;
  settings: Settings;
  /** Those that are computed here. */
  cells: readonly ProvenCell[];
  /** Those of the whole sweep. */
  all: readonly Cell[];
  /** What of the sweep is computed here; all of it without. */
  parts?: readonly Part[] | undefined;
  plan: ShardPlan;
}

export class SweepRecord {
  readonly warnings: string[];
  private readonly onWarning: SweepOptions['onWarning'];
  private readonly shard: Shard | null;
  readonly finished: Finished;
  /** Of a sweep with a tolerance: which layers are known well enough. */
  readonly stopping: Stopping | null;
  readonly #told = new Set<string>();
  readonly #started = Date.now();
  readonly #info: RunInfo;
  /** Without the journal's. */
  #spent: StageSeconds = noSeconds;

  private constructor(
    private readonly subject: Subject,
    readonly identity: RunIdentity,
    private readonly run: OpenRun | null,
    { onWarning, shard, command }: SweepOptions,
    readonly observer: SweepObserver,
  ) {
    this.onWarning = onWarning;
    this.shard = shard ?? null;
    this.warnings = [...(run?.earlier?.warnings ?? [])];
    this.finished = run?.finished ?? new Finished();
    const { model, images, settings, cells, all, plan } = subject;
    const targets = targetsOf(cells);
    if (run) {
      run.journal.onWrite = ({ fromMs, lines }) => observer.span?.('journal', 'write', fromMs, { lines });
    }
    this.stopping = Stopping.of(settings, targets, images.count, this.finished, targetsOf(all).length);
    this.#info = {
      ...infoOf(model, images, identity, all.length, settings, run?.earlier ?? null),
      command: command ? [...command] : null,
      shard: this.shard,
      plan,
    };
  }

  /** @throws CritmapError (ERR_RUN) when `out` cannot be the directory of this sweep; the signal's reason */
  static async open(
    subject: Subject,
    options: SweepOptions,
    observer: SweepObserver = {},
  ): Promise<SweepRecord> {
    const { model, images, settings } = subject;
    const { out, force, signal } = options;
    const identity = await observed(observer, 'planning', 'check images', () =>
      identityOf(model, images, settings, signal),
    );
    const run =
      out === undefined
        ? null
        : await observed(observer, 'planning', 'open run', () => openRun(out, identity, { force }));
    return new SweepRecord(subject, identity, run, options, observer);
  }

  /** Where the journal is, for messages. */
  get place(): string {
    return this.run?.journal.path ?? 'the sweep';
  }

  /** What the run is computed from, where an earlier part of it has told. */
  get graph(): ComputedGraph | null {
    return this.#info.graph;
  }

  /** Images of a card's batch, where an earlier part of the run has told: others would have other last bits. */
  get batch(): number | undefined {
    const batch = this.run?.earlier?.environment.batch;
    return typeof batch === 'number' ? batch : undefined;
  }

  /** What was noticed of the run directory. */
  get placeWarnings(): readonly string[] {
    return this.run?.warnings ?? [];
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message);
    this.#told.add(message);
    this.onWarning?.(message);
  }

  /** Those of the warnings that have not been told yet. */
  tell(messages: readonly string[]): void {
    for (const message of messages) if (!this.#told.has(message)) this.warn(message);
  }

  async add(line: JournalLine): Promise<void> {
    await this.run?.journal.append([line]);
    this.finished.add(line);
    if (line.type !== 'target' || !this.stopping) return;
    const stopped = this.stopping.look(line.layer, line.reset);
    if (stopped) this.observer.stopped?.(stopped);
  }

  /** Settles when what was added before is on disk, or could not be. */
  async flush(): Promise<void> {
    await this.run?.journal.flush();
  }

  /** What computing has taken, in seconds. */
  spent(seconds: Partial<StageSeconds>): void {
    this.#spent = addSeconds(this.#spent, seconds);
  }

  /** What is there before anything is computed: what was asked for, and which images. */
  async begin(): Promise<void> {
    await this.#save('running');
    await this.run?.write(files.images, await imagesCsv(this.subject.images));
  }

  /**
   * Which graph the engine computes, before any of its numbers comes, and on cards in which batches.
   * @throws CritmapError (ERR_RUN) when the run was begun with the other
   */
  async computes(graph: ComputedGraph, batch?: number): Promise<void> {
    if (this.run) refuseOtherGraph(this.run, graph);
    this.#info.graph = graph;
    if (batch !== undefined) this.#info.environment = { ...this.#info.environment, batch };
    await this.#save('running');
  }

  async end(): Promise<Results> {
    const results = this.#results();
    const doubt = baselineWarning(results.summary, this.subject.model.io.classes);
    if (doubt) this.tell([doubt]);
    await observed(this.observer, 'results', 'write results', () => this.#write(results));
    await this.#save('done');
    return results;
  }

  /** What is finished stays readable. A second failure on the way must not hide the first: nothing is thrown. */
  async breakOff(status: 'interrupted' | 'failed'): Promise<void> {
    await Promise.resolve()
      .then(() => this.#write(this.#results()))
      .catch(() => {});
    await this.#save(status).catch(() => {});
  }

  async close(): Promise<void> {
    await this.run?.close();
  }

  #results(): Results {
    const { settings, cells, plan } = this.subject;
    const planned = new Map(plan.layers.map((layer) => [layer.name, layer]));
    const { design, confidence } = settings;
    return summarise({
      identity: this.identity,
      targets: targetsOf(cells).map((target) => ({ ...target, layer: planned.get(target.layer.name)! })),
      finished: this.finished,
      design,
      confidence,
      leftOut: plan.leftOut,
      knownOf: this.stopping ? (target) => this.stopping?.known(target) : undefined,
    });
  }

  async #write(results: Results): Promise<void> {
    // A shard has no results: those of its layers alone could be taken for the sweep's.
    if (!this.run || this.shard) return;
    await writeResults(this.run, results);
    const { plan, images } = this.subject;
    await writeDetails(this.run, {
      identity: this.identity,
      summary: results.summary,
      chunk: plan.chunk,
      classNames: images.classNames,
    });
  }

  async #save(status: RunInfo['status']): Promise<void> {
    const { seconds, stageSeconds = noSeconds, peakMemoryBytes: peak = 0 } = this.#info;
    const journal = (this.run?.journal.writtenMs ?? 0) / 1000;
    await this.run?.writeInfo({
      ...this.#info,
      status,
      updated: new Date().toISOString(),
      seconds: seconds + (Date.now() - this.#started) / 1000,
      stageSeconds: addSeconds(addSeconds(stageSeconds, this.#spent), { journal }),
      peakMemoryBytes: Math.max(peak, peakMemoryBytes()),
      warnings: this.warnings,
    });
  }
}
