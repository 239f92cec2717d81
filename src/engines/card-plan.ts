/** The plan of a sweep on cards, with as large a batch as their memory has room for. */
import { CritmapError } from '../errors.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { cudaLayout } from '../native/cards.js';
import { columns } from '../native/columns.js';
import {
  type CardMemory,
  CONTEXT_BYTES,
  cardBatches,
  cardMemory,
  fitsCard,
  likelyBatch,
  memoryText,
  shownBytes,
} from '../plan/card-memory.js';
import { limitsOnCards } from '../plan/limits.js';
import { planSweep, type SweepPlan, type SweepPlanOptions } from '../plan/plan-sweep.js';

export interface CardPlan {
  plan: SweepPlan;
  batch: number;
  memory: CardMemory;
}

export interface CardPlanOptions extends Omit<SweepPlanOptions, 'batch' | 'limits' | 'graph' | 'slices'> {
  /** Images of a batch; the most, where smaller ones may be taken. */
  batch: number;
  smallerBatch: boolean;
  /** Of the design: a batch may have several slices of them. Default all. */
  imagesPerDraw?: number | 'all' | undefined;
  /** Whether the batch is the one that the run was begun in. */
  begun?: boolean | undefined;
  /** Whether images come as pixels; as floats they take more. */
  pixels: boolean;
}

/** A card's name in messages, and the bytes that a sweep may take of it. */
export interface Room {
  name: string;
  bytes: number;
}

/** The one of some cards that has the least room. */
export function roomOn(cards: readonly number[]): Room {
  const { devices } = native().cuda(cards);
  const rooms = cards.map((card) => {
    const { freeBytes, memoryBytes = Number.POSITIVE_INFINITY } = devices[card] ?? {};
    // To ask a card has made CUDA's context on it.
    const bytes = Math.min(memoryBytes, (freeBytes ?? memoryBytes) + CONTEXT_BYTES);
    return { name: `cuda:${card}`, bytes };
  });
  return rooms.reduce((a, b) => (b.bytes < a.bytes ? b : a));
}

/** How many slices a batch has. */
export function slicesOf(batch: number, imagesPerDraw: number | 'all'): number {
  const slices = imagesPerDraw === 'all' ? 1 : batch / imagesPerDraw;
  return Number.isInteger(slices) ? slices : 1;
}

/** @throws CritmapError (ERR_NATIVE) where not even the smallest batch has room; as {@link planSweep} */
export async function planOnCards(model: Model, given: CardPlanOptions, room: Room): Promise<CardPlan> {
  const { batch: most, smallerBatch, pixels, imagesPerDraw = 'all', ...options } = given;
  const isOpen = model.io.batch === null && smallerBatch;
  const batches = isOpen ? cardBatches(most, imagesPerDraw) : [model.io.batch ?? most];
  const slicesIn = (batch: number) => (model.io.batch === null ? slicesOf(batch, imagesPerDraw) : 1);
  const planned = async (batch: number): Promise<CardPlan> => {
    const plan = await planSweep(model, {
      ...{ ...options, batch, slices: slicesIn(batch) },
      // What ONNX Runtime makes of a graph for a processor fits only that.
      ...{ graph: 'model', limits: limitsOnCards(cudaLayout()) },
    });
    const about = { pixels, columns: columns.length };
    return { plan, batch, memory: cardMemory(plan, about) };
  };
  for (let i = 0; ; ) {
    const found = await planned(batches[i]!);
    const { slices } = found.plan;
    // Slices that cannot share a batch are batches of their own.
    if (slices !== null && slices < slicesIn(found.batch)) {
      return planOnCards(model, { ...given, batch: Number(imagesPerDraw) }, room);
    }
    if (fitsCard(found.memory, room.bytes)) return found;
    const smaller = batches.slice(i + 1);
    if (smaller.length === 0) throw noRoom(model, found, room, given);
    const likely = likelyBatch(found.memory, found.batch, smaller, room.bytes, weightsIn(model));
    i = batches.indexOf(likely ?? smaller.at(-1)!);
  }
}

const weightsIn = ({ file }: Model) =>
  file.graph.initializer.reduce((sum, { rawData }) => sum + rawData.byteLength, 0);

function noRoom(
  model: Model,
  { memory, batch }: CardPlan,
  room: Room,
  { imagesPerDraw, begun = false }: CardPlanOptions,
): CritmapError {
  const batches = cardBatches(batch, imagesPerDraw).slice(1);
  const likely = likelyBatch(memory, batch, batches, room.bytes, weightsIn(model));
  const smaller = begun
    ? 'another --out, since the run that is there goes on in its batches only'
    : model.io.batch !== null || likely === undefined
      ? 'fewer --layers at a time'
      : `a smaller --batch (${likely} may fit), fewer --layers at a time`;
  return new CritmapError(
    'ERR_NATIVE',
    `${model.file.path}: ${room.name} has room for ${shownBytes(room.bytes)}, and a sweep with ${batch} ${batch === 1 ? 'image' : 'images'} a batch takes about ${shownBytes(memory.total)} (${memoryText(memory)}); give ${smaller}, or another card`,
  );
}
