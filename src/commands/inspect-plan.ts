/** What `inspect` says of the fast engine's plan for a model: one cell of every layer, or group of layers. */

import { usableThreads } from '../machine.js';
import { modelInput } from '../model/input.js';
import type { LayerParts } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { Node } from '../onnx/onnx_pb.js';
import { elementCount } from '../onnx/tensors.js';
import { heldBytes } from '../plan/memory.js';
import { macsOfCells, planProblem, planSweep } from '../plan/plan-sweep.js';
import type { ResetContext } from '../resets/kinds.js';
import { defaultBatch } from '../sweep/settings.js';
import { type Targets, unmeasured } from '../sweep/targets.js';

export type PlanSummary = Awaited<ReturnType<typeof summarisePlan>>;

/** The plan as plain JSON; `error` when the fast engine cannot sweep the model. */
export async function summarisePlan(
  model: Model,
  { layers, cells: all, replacements }: Targets,
  {
    batch: asked,
    norm = 'keep',
    parts = 'both',
  }: {
    batch?: number | undefined;
    norm?: ResetContext['norm'] | undefined;
    parts?: LayerParts | undefined;
  } = {},
) {
  const size = modelInput(model).shape;
  const batch = model.io.batch ?? asked ?? defaultBatch(size);
  const threads = usableThreads();
  const cells = layers.map((layer, index) => ({ ...all.find((cell) => cell.layer === layer)!, index }));
  const activations = unmeasured(replacements);
  const context = { seed: 0, init: 'auto', norm, parts, activations } as const;
  try {
    const plan = await planSweep(model, { cells, context, size, batch });
    const bytesOf = (name: string) => 4 * elementCount(plan.shapes.get(name)?.dims ?? []);
    const { forward } = plan.macs;
    const each = macsOfCells(plan, cells, context);
    const planned = each.reduce((sum, one) => sum + one, forward);
    // Both with the untouched model, to which they are compared.
    const whole = forward * (1 + layers.length);
    const { fixed, perThread } = heldBytes(model.file, plan.workerBytes);
    return {
      batch,
      threads,
      graph: plan.source.optimised ? 'runtime' : 'model',
      why: plan.why,
      sessions: plan.sessions.length,
      cuts: plan.cuts.map(({ before, live }) => ({
        before: plan.flow.steps[before] ? nameOf(plan.flow.steps[before].node) : model.io.output,
        live: [...live],
        bytes: live.reduce((sum, name) => sum + bytesOf(name), 0),
      })),
      macs: {
        ...{ forward, whole, planned, speedUp: whole / planned },
        /** Of one image with each of them reset, in their order. */
        each,
      },
      workerBytes: plan.workerBytes,
      memoryBytes: fixed + threads * perThread,
      error: null,
    };
  } catch (error) {
    return { batch, threads, error: planProblem(error) };
  }
}

/** Many exporters name no nodes. */
const nameOf = ({ name, output, opType }: Node) => name || `${opType} of ${output[0]}`;

/** Some lines for people. */
export function planText(plan: PlanSummary, what: 'layer' | 'group'): string[] {
  const head = [
    `plan    batch ${plan.batch} (larger ones were not faster where measured and take more`,
    `        memory), ${plan.threads} threads (all cores, one batch each)`,
  ];
  if (plan.error !== null) return [...head, `        no plan: ${plan.error}`];
  const { macs } = plan;
  const cuts = plan.cuts.slice(1, -1);
  const graph = plan.graph === 'runtime' ? "the runtime's optimised graph" : "the model's own graph";
  return [
    ...head,
    `        ${count(macs.forward)} MACs an image; untouched and with every ${what} reset once it takes ${count(macs.planned)}, not ${count(macs.whole)}: ${macs.speedUp.toFixed(2)} x`,
    `        ${megabytes(plan.workerBytes)} of tensors for each thread, about ${megabytes(plan.memoryBytes)} in all`,
    ...(plan.why === null ? [] : [`        the runtime's optimised graph cannot be used: ${plan.why}`]),
    `        ${plural(cuts.length, 'cut')} of ${graph}, ${plural(plan.sessions, 'session')}${cuts.length > 0 ? ':' : ''}`,
    ...cuts.map(
      ({ before, live, bytes }) =>
        `          before ${before}: ${plural(live.length, 'tensor')}, ${megabytes(bytes)}`,
    ),
  ];
}

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export function count(value: number): string {
  const [size, suffix] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : [1e3, ' k'];
  return `${(value / size).toPrecision(3)}${suffix}`;
}
