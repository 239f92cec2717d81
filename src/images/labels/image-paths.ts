/**
 * Finds the image that a cell of a table means. Paths may have backslashes, folders before the image's own path (or
 * lack some of it), and no ending; what is left must be the whole of the one or of the other.
 */

/** What a cell means. */
export interface FoundImage {
  /** Into the names; null when the cell fits several of them. */
  readonly index: number | null;
  /** The cell's folders before the image's own path, with `/`; empty when there are none. */
  readonly before: string;
  /** Whether the cell lacks the name's ending. */
  readonly isBare: boolean;
}

/** Names to their position, or null for several. */
type Positions = Map<string, number | null>;

export class ImagePaths {
  /** By what of the names is in them. */
  readonly #maps = new Map<string, Positions>();

  /** @param names - the images' paths, with `/` */
  constructor(private readonly names: readonly string[]) {}

  find(cell: string): FoundImage | null {
    const path = cell
      .replaceAll('\\', '/')
      .replace(/\/{2,}/g, '/')
      .replace(/^(?:\.?\/)+/, '');
    if (path === '') return null;
    const components = path.split('/');
    for (const isBare of [false, true]) {
      const whole = this.#whole(isBare);
      const index = whole.get(path) ?? this.#ends(components.length, isBare).get(path);
      if (index !== undefined) return { index, before: '', isBare };
      for (let skipped = 1; skipped < components.length; skipped++) {
        const found = whole.get(components.slice(skipped).join('/'));
        if (found !== undefined)
          return { index: found, before: components.slice(0, skipped).join('/'), isBare };
      }
    }
    return null;
  }

  #whole(isBare: boolean): Positions {
    return this.#map(`whole ${isBare}`, isBare, (name) => name);
  }

  /** Of names with more components, the last so many. */
  #ends(count: number, isBare: boolean): Positions {
    return this.#map(`${count} ${isBare}`, isBare, (name) => {
      let from = name.length;
      for (let taken = 0; taken < count; taken++) {
        from = name.lastIndexOf('/', from - 1);
        if (from <= 0) return null;
      }
      return name.slice(from + 1);
    });
  }

  #map(key: string, isBare: boolean, partOf: (name: string) => string | null): Positions {
    const known = this.#maps.get(key);
    if (known) return known;
    const map: Positions = new Map();
    for (const [index, name] of this.names.entries()) {
      const part = partOf(isBare ? withoutEnding(name) : name);
      if (part !== null) map.set(part, map.has(part) ? null : index);
    }
    this.#maps.set(key, map);
    return map;
  }
}

function withoutEnding(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1 ? path.slice(0, dot) : path;
}
