/** A study: models on sets of images, with the options that each sweep gets. */
import type { SweepWords } from '../request/open-sweep.js';

/** What else is known of a model: numbers, or words that tell models apart. */
export type Attributes = Readonly<Record<string, number | string | boolean | null>>;

/** A model of a study, and what is known of it. */
export interface StudyModel {
  id: string;
  /** For people. */
  name: string;
  category: string | null;
  /** Top-1, percent; null where the file does not say. */
  accuracy: number | null;
  attributes: Attributes;
}

export interface StudyImages {
  id: string;
  name: string;
}

/** One model on one set of images. */
export interface StudySweep {
  model: StudyModel;
  images: StudyImages;
  /** Relative to the study's directory. */
  place: string;
  words: SweepWords;
}

export interface Category {
  name: string;
  color: string | null;
}

/** A study's file, understood: its models, sets of images and sweeps. */
export interface Study {
  name: string;
  /** The file. */
  path: string;
  /** Id of the model that others are compared with. */
  baseline: string;
  categories: readonly Category[];
  models: readonly StudyModel[];
  images: readonly StudyImages[];
  /** Model by model, each on every set of images. */
  sweeps: readonly StudySweep[];
}
