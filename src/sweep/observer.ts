/** Who is told how a sweep goes, beside `onProgress` and `onWarning`: the stream of events, and the trace. */
import type { ImageSet } from '../images/image-set.js';
import type { Model } from '../model/model.js';
import type { Interval } from '../statistics/student.js';

/** What is swept, before anything is checked or computed. */
export interface Started {
  model: Model;
  images: ImageSet;
  /** The version that computes. */
  onnxruntime: string;
  /** Names of the layers, in the order of the graph. */
  layers: readonly string[];
  /** Words of the resets. */
  resets: readonly string[];
}

/** What there is to do here. A pass is one image through the model with one layer reset. */
export interface Planned {
  /** Layers times resets times draws that see the same images. */
  cells: number;
  chunks: number;
  /** At most; with a tolerance layers may stop earlier. */
  passes: number;
  /** Of the passes, those that an earlier run has done. */
  resumed: number;
}

/** A layer that is known well enough, and stops. */
export interface StoppedLayer {
  layer: string;
  reset: string;
  /** That it has seen until then. */
  images: number;
  /** Of its criticality, in percent; it holds whenever one looks. */
  interval: Interval;
}

export const lanes = ['planning', 'decode', 'chunks', 'proofs', 'journal', 'results'] as const;
export type Lane = (typeof lanes)[number];

export interface SweepObserver {
  started?(what: Started): void;
  planned?(what: Planned): void;
  stopped?(what: StoppedLayer): void;
  /** Something that began at `fromMs`, by `performance.now()`, and has just ended. */
  span?(lane: Lane, name: string, fromMs: number, args?: Readonly<Record<string, number>>): void;
}

/** Does `work`, whose time is then told. */
export async function observed<T>(
  observer: SweepObserver,
  lane: Lane,
  name: string,
  work: () => T | Promise<T>,
): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    observer.span?.(lane, name, started);
  }
}
