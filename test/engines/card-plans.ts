/** What tests of cards' plans on the processor share: the tolerances, a sweep's context, images and models. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import type { Precision } from '../../src/native/cards.js';
import { cardLimits, type PlanLimits } from '../../src/plan/limits.js';
import type { ResetContext } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';

/** Of a row's largest logit: float32 in another order, a dozen layers long. */
export const NEAR = 1e-4;
/** float16 rounds by 2^-11; see test/plan/half.test.ts. */
export const HALF = 20 * 2 ** -11;

export const keep: ResetContext = { seed: 3, init: 'auto', norm: 'keep' };
export const resets = await Promise.all(['random', 'shuffle', 'constant=0.1'].map(parseReset));

/** What plans are compared in. */
export interface Compared {
  context?: ResetContext;
  sessions?: number;
  /** As for channels last. */
  slower?: number;
  precision?: Precision;
  near?: number;
}

export const limitsOf = ({
  sessions = 12,
  slower,
}: Pick<Compared, 'sessions' | 'slower'>): PlanLimits & { sessions: number } => ({
  ...cardLimits,
  sessions,
  slower: slower ?? null,
});

/** @param value - of a number in them, by its position */
export function imagesFor({ io }: Model, count: number, value: (at: number) => number) {
  const [height, width] = [io.height ?? 32, io.width ?? 32];
  const images = Float32Array.from({ length: count * io.channels * height * width }, (_, i) => value(i));
  return { index: 0, count, images, height, width, labels: undefined };
}

export const wave = (at: number) => Math.sin(1.7 * at + Math.cos(at));

/** The model that an ONNX file with these bytes is. */
export async function written(t: Test, bytes: Uint8Array): Promise<Model> {
  const path = join(t.testdir({}), 'model.onnx');
  writeFileSync(path, bytes);
  return loadModel(path);
}
