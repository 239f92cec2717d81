/** Parts of a sweep without its directory: a model and images are opened once, and parts of the sweep computed at will. */
import { targetsOf } from '../design/cells.js';
import { isCrossed } from '../design/slices.js';
import { checkEngine } from '../engines/check.js';
import type { ComputedGraph } from '../engines/engine.js';
import { openFastEngine } from '../engines/fast.js';
import { openChecked } from '../engines/open-checked.js';
import { openReferenceEngine } from '../engines/reference.js';
import { type ImageSet, shuffled } from '../images/index.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import { Finished, type JournalLine } from '../run/finished.js';
import type { RunIdentity } from '../run/identity.js';
import { addSeconds, noSeconds, type StageSeconds, secondsSince } from '../run/stages.js';
import { ChunksAhead, readChunk } from './chunks-ahead.js';
import { computeChunks } from './compute.js';
import { identityOf } from './identity.js';
import { type Part, targetKey } from './part.js';
import { ProgressCount } from './progress.js';
import { proveCells } from './prove.js';
import { chunksAtOnce, type SweepOptions, withDefaults } from './settings.js';
import { chooseTargets, measureActivations } from './targets.js';

export interface PartRunner {
  identity: RunIdentity;
  graph: ComputedGraph;
  warnings: readonly string[];
  /** Layers and resets in the order of the plan. */
  targets: readonly { layer: string; reset: string }[];
  /**
   * Computes a part; several may be under way. Each line is handed over as soon as it is there, in no promised order of
   * layers. Rejects with the signal's reason soon after it aborts; lines that were handed over count.
   */
  run(part: Part, take: (line: JournalLine) => void, signal: AbortSignal): Promise<void>;
  /** What has been spent, by stage, since this was asked last. */
  takeSpent(): StageSeconds;
  close(): Promise<void>;
}

/** @throws what `sweep` throws for the same model, images and options; the signal's reason */
export async function openPartRunner(
  network: Model,
  given: ImageSet,
  options: SweepOptions,
): Promise<PartRunner> {
  const { signal } = options;
  const chosen = withDefaults(options, given);
  const model = withTargets(network, chosen);
  const { cells: all, replacements } = await chooseTargets(model, given.shape, chosen);
  const activations = await measureActivations(model, given, replacements, signal);
  const settings = { ...chosen, activations };
  const { design, batch, smallerBatch, chunk, threads, cards, precision, graph } = settings;
  const identity = await identityOf(model, given, settings, signal);
  const images = isCrossed(design) ? given : shuffled(given);
  const cells = await proveCells(model, all, settings, signal);
  const open = settings.engine === 'fast' ? openFastEngine : openReferenceEngine;
  const targets = targetsOf(cells);
  const warnings: string[] = [];
  const { engine, checked } = await openChecked(
    open,
    model,
    {
      ...{ cells, context: settings, design, size: images.shape, batch, smallerBatch },
      pixels: Boolean(images.normalizeTable),
      ...{ threads, cards, precision, graph, signal },
    },
    async (engine) => {
      const first = await readChunk(images, 0, chunk, signal);
      return checkEngine(model, engine, cells, first, settings, signal);
    },
    (message) => warnings.push(message),
  );
  warnings.push(...checked);
  const atOnce = chunksAtOnce({ ...settings, batch: model.io.batch ?? batch });
  let read = noSeconds;
  let taken = noSeconds;
  const warn = (message: string) => {
    if (!warnings.includes(message)) warnings.push(message);
  };
  return {
    identity,
    graph: engine.graph,
    warnings,
    targets: targets.map(({ layer, reset }) => ({ layer: layer.name, reset: reset.label })),
    async run(part, take, signal) {
      const names = new Set(part.targets.map(({ layer, reset }) => targetKey(layer, reset)));
      const wanted = targets.filter(({ layer, reset }) => names.has(targetKey(layer.name, reset.label)));
      const todo = Array.from({ length: part.to - part.from }, (_, i) => {
        const index = part.from + i;
        return { index, images: Math.min(chunk, images.count - index * chunk), targets: wanted };
      });
      const indices = todo.map(({ index }) => index);
      const ahead = new ChunksAhead(images, chunk, indices, atOnce, signal);
      const subject = { model, images, settings };
      const record = {
        finished: new Finished(),
        stopping: null,
        tell: (messages: readonly string[]) => messages.forEach(warn),
        warn,
        add: async (line: JournalLine) => take(line),
        flush: async () => {},
      };
      const progress = new ProgressCount([], 0, undefined);
      try {
        await computeChunks({ subject, record, engine, todo, ahead, atOnce, progress }, signal);
      } finally {
        await ahead.close();
        read = addSeconds(read, ahead.seconds);
      }
    },
    takeSpent() {
      const before = taken;
      taken = addSeconds(read, engine.seconds());
      return secondsSince(taken, before);
    },
    close: () => engine.close(),
  };
}
