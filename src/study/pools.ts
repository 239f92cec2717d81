/**
 * What several sweeps of a study share while they are under way: a model is opened once for all of its sets of images, and
 * a set of images once for all models that take them alike.
 */
import type { FetchOptions } from '../fetch/options.js';
import { type ImageOptions, type ImageSet, openImages } from '../images/index.js';
import type { Model } from '../model/model.js';
import { type ModelChoice, openModel } from '../request/open-model.js';
import type { Openers } from '../request/open-sweep.js';

/** Sets of images that are kept open although nobody uses them now; more have too many files open. */
const MOST_IDLE = 8;

interface Shared {
  opened: Promise<ImageSet>;
  /** When it is open. */
  images: ImageSet | null;
  users: number;
}

export class Pools {
  readonly #images = new Map<string, Shared>();
  readonly #models = new Map<string, Promise<Model>>();

  /** What a sweep opens; its images are given back with {@link release}, not closed. */
  readonly openers: Openers = {
    model: (choice, fetching) => this.#model(choice, fetching),
    images: (source, options) => this.#borrow(source, options),
  };

  /** Models of other sweeps are let go. */
  keepModels(choices: readonly ModelChoice[]): void {
    const kept = new Set(choices.map(modelKey));
    for (const key of this.#models.keys()) if (!kept.has(key)) this.#models.delete(key);
  }

  async release(images: ImageSet): Promise<void> {
    const found = [...this.#images.values()].find((shared) => shared.images === images);
    if (!found) return;
    found.users--;
    const idle = [...this.#images].filter(([, { users, images }]) => users === 0 && images !== null);
    const gone = idle.slice(0, Math.max(0, idle.length - MOST_IDLE));
    // Out of reach before the first is closed: nobody can borrow what is being closed.
    for (const [key] of gone) this.#images.delete(key);
    await Promise.all(gone.map(([, shared]) => shared.images!.close()));
  }

  async close(): Promise<void> {
    const all = [...this.#images.values()];
    this.#images.clear();
    this.#models.clear();
    await Promise.all(all.map(({ opened }) => opened.then((images) => images.close()).catch(() => {})));
  }

  #model(choice: ModelChoice, fetching: FetchOptions): Promise<Model> {
    const key = modelKey(choice);
    const known = this.#models.get(key);
    if (known) return known;
    const opened = openModel(choice, fetching);
    this.#models.set(key, opened);
    opened.catch(() => this.#models.delete(key));
    return opened;
  }

  async #borrow(source: string, options: ImageOptions): Promise<ImageSet> {
    const { onProgress: _, onWarning: __, signal: ___, ...same } = options;
    const key = JSON.stringify([source, same]);
    const shared = this.#images.get(key) ?? { opened: openImages(source, options), images: null, users: 0 };
    // The last one used is the last to go.
    this.#images.delete(key);
    this.#images.set(key, shared);
    shared.users++;
    try {
      shared.images = await shared.opened;
      return shared.images;
    } catch (error) {
      if (this.#images.get(key) === shared) this.#images.delete(key);
      throw error;
    }
  }
}

/** What decides which model is opened. */
function modelKey(choice: ModelChoice): string {
  const { model, arch, classes, channels, size, name, weights, allowPartial, rename, input, output } = choice;
  return JSON.stringify([
    ...[model, arch, classes, channels, size, name],
    ...[weights, allowPartial, rename, input, output],
  ]);
}
