/** What `inspect` says of the fast engine's plan for a model: one random trial of every layer. */
import { availableParallelism } from 'node:os';
import type { Model } from '../model.js';
import { modelInput } from '../model-input.js';
import { elementCount } from '../onnx/tensors.js';
import { planCells } from '../plan/cells.js';
import { planProblem, planSweep } from '../plan/plan-sweep.js';
import { defaultBatch } from '../sweep-settings.js';

/** Of ONNX Runtime, Node.js and the code, measured on a sweep of ResNet-50. */
const RUNTIME_BYTES = 150 * 2 ** 20;

export type PlanSummary = Awaited<ReturnType<typeof summarisePlan>>;

/** The plan as plain JSON; `error` when the fast engine cannot sweep the model. */
export async function summarisePlan(model: Model) {
  const size = modelInput(model).shape;
  const batch = model.io.batch ?? defaultBatch(size);
  const threads = availableParallelism();
  const cells = planCells(model.layers, [{ kind: 'random', label: 'random' }], 1);
  try {
    const plan = await planSweep(model, {
      cells,
      context: { seed: 0, init: 'auto', norm: 'keep' },
      size,
      batch,
    });
    const bytesOf = (name: string) => 4 * elementCount(plan.shapes.get(name)?.dims ?? []);
    const { forward, suffixes } = plan.macs;
    const whole = forward * model.layers.length;
    const weightBytes = model.file.graph.initializer.reduce((sum, one) => sum + one.rawData.byteLength, 0);
    return {
      batch,
      threads,
      graph: plan.source.optimised ? 'runtime' : 'model',
      why: plan.why,
      sessions: plan.sessions.length,
      cuts: plan.cuts.map(({ before, live }) => ({
        before: plan.flow.steps[before]?.node.name ?? model.io.output,
        live: [...live],
        bytes: live.reduce((sum, name) => sum + bytesOf(name), 0),
      })),
      macs: { forward, whole, planned: forward + suffixes, speedUp: whole / (forward + suffixes) },
      workerBytes: plan.workerBytes,
      // The file as read, the runtime's weights, activations, and as much again for what lives inside a node.
      memoryBytes: RUNTIME_BYTES + 2 * weightBytes + 2 * threads * plan.workerBytes,
      error: null,
    };
  } catch (error) {
    return { batch, threads, error: planProblem(error) };
  }
}

/** Some lines for people. */
export function planText(plan: PlanSummary): string[] {
  const head = `plan    batch ${plan.batch} (larger ones were not faster where measured, and take more memory), ${plan.threads} threads (all cores, one batch each)`;
  if (plan.error !== null) return [head, `        no plan: ${plan.error}`];
  const { macs, cuts } = plan;
  const graph =
    plan.graph === 'runtime'
      ? "the runtime's optimised graph"
      : `the model's own graph, since with the runtime's: ${plan.why}`;
  return [
    head,
    `        ${count(macs.forward)} MACs an image; one cell of every layer ${count(macs.planned)} instead of ${count(macs.whole)}: ${macs.speedUp.toFixed(2)} x`,
    `        ${megabytes(plan.workerBytes)} of tensors for each thread, about ${megabytes(plan.memoryBytes)} in all`,
    `        ${cuts.length - 2} cuts of ${graph}, ${plan.sessions} sessions:`,
    ...cuts
      .slice(1, -1)
      .map(
        ({ before, live, bytes }) =>
          `          before ${before}: ${live.length} ${live.length === 1 ? 'tensor' : 'tensors'}, ${megabytes(bytes)}`,
      ),
  ];
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function count(value: number): string {
  const [size, suffix] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : [1e3, ' k'];
  return `${(value / size).toPrecision(3)}${suffix}`;
}
