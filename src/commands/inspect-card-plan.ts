/** What `inspect --device cuda` says of a sweep on a card: batch, sessions, work and memory. Needs no card. */

import { type CardPlan, planOnCards, type Room, roomOn } from '../engines/card-plan.js';
import { CritmapError } from '../errors.js';
import { modelInput } from '../model/input.js';
import type { LayerParts } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { cardsOf, type Precision } from '../native/cards.js';
import { MOST_CARD_BATCH, memoryText, shownBytes } from '../plan/card-memory.js';
import { macsOfCells, planProblem } from '../plan/plan-sweep.js';
import { isRandom, type ResetContext } from '../resets/kinds.js';
import { designOf } from '../sweep/settings.js';
import { type Targets, unmeasured } from '../sweep/targets.js';
import { count } from './inspect-plan.js';

/** Of a card that is not there. */
const ASSUMED_BYTES = 16e9;

export interface CardChoice {
  /** `cuda`, `cuda:N`, ... */
  device: string;
  /** `8GB`; default what the card has, or 16 GB where there is none. */
  deviceMemory?: string | undefined;
  /** Default as many images as have room. */
  batch?: number | undefined;
  imagesPerDraw?: number | 'all' | undefined;
  trials?: number | undefined;
  precision?: Precision | undefined;
  norm?: ResetContext['norm'] | undefined;
  parts?: LayerParts | undefined;
}

export type CardPlanSummary = Awaited<ReturnType<typeof summariseCardPlan>>;

/** The plan as plain JSON; `error` when a card cannot sweep the model. */
export async function summariseCardPlan(
  model: Model,
  { layers, cells: all, replacements }: Targets,
  choice: CardChoice,
) {
  const { device, deviceMemory, batch, precision = 'fp32', norm = 'keep', parts = 'both' } = choice;
  const { imagesPerDraw } = designOf(choice);
  const room = roomOf(device, deviceMemory);
  const about = { device, precision, memory: { bytes: room.bytes, from: room.from } };
  const cells = layers.map((layer, index) => {
    const own = all.filter((cell) => cell.layer === layer);
    return { ...(own.find(({ reset }) => isRandom(reset, layer)) ?? own[0]!), index };
  });
  const context = { seed: 0, init: 'auto', norm, parts, activations: unmeasured(replacements) } as const;
  let found: CardPlan;
  try {
    const size = modelInput(model).shape;
    const images = { batch: batch ?? MOST_CARD_BATCH, smallerBatch: batch === undefined, pixels: true };
    found = await planOnCards(model, { cells, context, size, precision, imagesPerDraw, ...images }, room);
  } catch (error) {
    return { ...about, error: planProblem(error) };
  }
  const { plan, memory } = found;
  const { forward, least } = plan.macs;
  const each = macsOfCells(plan, cells, context);
  const planned = each.reduce((sum, one) => sum + one, forward);
  // Both with the untouched model, to which they are compared.
  const whole = forward * (1 + layers.length);
  const { total, ...byPart } = memory;
  return {
    ...about,
    batch: found.batch,
    /** Of the design; a batch has so many slices of them. */
    ...{ imagesPerDraw, slices: plan.slices ?? 1 },
    graph: 'model' as const,
    sessions: plan.sessions.length,
    segments: plan.cuts.length - 1,
    macs: {
      ...{ forward, whole, planned, speedUp: whole / planned },
      /** What depends on the layers; null where tensors are replaced instead. */
      least: least.length === layers.length ? least.reduce((sum, one) => sum + one, forward) : null,
      each,
    },
    bytes: { ...byPart, total },
    error: null,
  };
}

type Source = 'asked' | 'card' | 'assumed';

/** @throws CritmapError (ERR_OPTION) for a device that is no card, and for memory that is none */
function roomOf(device: string, deviceMemory: string | undefined): Room & { from: Source } {
  if (deviceMemory !== undefined) {
    const bytes = bytesOf(deviceMemory);
    return { name: `a card of ${shownBytes(bytes)}`, bytes, from: 'asked' };
  }
  if (native().cuda().devices.length === 0)
    return { name: `a card of ${shownBytes(ASSUMED_BYTES)}`, bytes: ASSUMED_BYTES, from: 'assumed' };
  return { ...roomOn(cardsOf(device)!), from: 'card' };
}

const UNITS = new Map([
  ['mb', 1e6],
  ['mib', 2 ** 20],
  ['gb', 1e9],
  ['gib', 2 ** 30],
]);

function bytesOf(text: string): number {
  const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,9})?) ?([a-z]+)$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS.get(unit.toLowerCase()) ?? Number.NaN));
  if (bytes > 0) return bytes;
  throw new CritmapError('ERR_OPTION', `--device-memory ${text} is not a size such as 8GB, 7.5GiB or 6000MB`);
}

/** Some lines for people. */
export function cardPlanText(plan: CardPlanSummary, what: 'layer' | 'group'): string[] {
  const { bytes: memory, from } = plan.memory;
  const source = {
    asked: '',
    card: `, as much as there is on ${plan.device} now`,
    assumed: ' (there is none here; --device-memory 8GB says another)',
  }[from];
  const head = `plan    for a card of ${shownBytes(memory)}${source}, in ${plan.precision}; no card has shown these numbers yet`;
  if (plan.error !== null) return [head, `        no plan: ${plan.error}`];
  const { macs, batch, bytes, sessions, segments, imagesPerDraw, slices } = plan;
  const over =
    macs.least === null
      ? ''
      : `, ${(100 * (macs.planned / macs.least - 1)).toFixed(1)} % more than the least`;
  const { total } = bytes;
  return [
    head,
    `        batch ${batch}, ${sessions} session${sessions === 1 ? '' : 's'} for ${segments} segment${segments === 1 ? '' : 's'} of the model's own graph`,
    `        ${count(macs.forward)} MACs an image; untouched and with every ${what} reset once it takes ${count(macs.planned)}, not ${count(macs.whole)}: ${macs.speedUp.toFixed(2)} x${over}`,
    `        about ${shownBytes(total)} on the card: ${memoryText(bytes)}`,
    ...(slices > 1
      ? [
          `        ${slices} slices of ${imagesPerDraw} image${imagesPerDraw === 1 ? '' : 's'} share a batch: a reset layer begins slice by slice, all else is computed at once`,
        ]
      : []),
  ];
}
