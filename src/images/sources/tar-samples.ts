/**
 * Which members of a tar file are images, and which hold their classes. As webdataset has it, files of one sample share
 * the path up to the first dot of the name: `key.jpg` is its image, `key.cls` or `key.json` its class. Where nothing has
 * a class, or each image its own, every image stands for itself whatever dots are in its name. No image vanishes: what
 * cannot be used is in the list with the reason.
 */
import { basename } from 'node:path';
import { IMAGE_EXTENSIONS } from './folder-listing.js';
import type { TarMember } from './tar-index.js';
import { UnreadKinds } from './unread-kinds.js';

/** An image in a tar file. */
export interface TarImage {
  readonly path: string;
  readonly position: number;
  readonly byteLength: number;
  /** The file with its class; null when there is none. */
  readonly label: TarMember | null;
  /** Why it is a bad image, however it is stored; null when it is none. */
  readonly problem: string | null;
}

const LABEL = /\.(?:cls|json)$/i;

/** Whether a member may hold a class. */
export function isLabel(path: string): boolean {
  return LABEL.test(path) && !basename(path).startsWith('.');
}

/** Takes members in the order of the archive. */
export class TarSamples {
  readonly #images: TarMember[] = [];
  readonly #labels = new Map<string, TarMember>();
  readonly #unread = new UnreadKinds();

  add(member: TarMember): void {
    const { path } = member;
    // Such as ._a.jpg, which is no image for all its name.
    if (basename(path).startsWith('.')) return;
    if (isLabel(path)) {
      const stem = stemOf(path);
      // .cls says it in so many words; .json may.
      if (/\.cls$/i.test(path) || !this.#labels.has(stem)) this.#labels.set(stem, member);
    } else if (IMAGE_EXTENSIONS.includes(path.slice(stemOf(path).length).toLowerCase())) {
      this.#images.push(member);
    } else {
      this.#unread.add(path);
    }
  }

  /** @returns every image, and what a person should know of them, each one line without the tar's name */
  settle(): { images: TarImage[]; remarks: string[] } {
    const samples = new Map<string, TarMember[]>();
    for (const member of this.#images) {
      const key = keyOf(member.path);
      const sample = samples.get(key);
      if (sample) sample.push(member);
      else samples.set(key, [member]);
    }
    const seen = new Set<string>();
    const alike: string[] = [];
    const images = this.#images.map((member): TarImage => {
      const { path, position, byteLength } = member;
      const [key, stem] = [keyOf(path), stemOf(path)];
      const sample = samples.get(key)!;
      const shared = this.#labels.get(key);
      const own = stem === key ? undefined : this.#labels.get(stem);
      const isTwice = seen.has(path);
      seen.add(path);
      const image = { path, position, byteLength, label: own ?? shared ?? null };
      if (isTwice) return { ...image, problem: 'is in the tar file twice' };
      if (sample.length > 1 && !own && shared) {
        const chosen = sample.find((other) => stemOf(other.path) === key) ?? sample[0]!;
        if (chosen !== member) {
          return {
            ...image,
            problem: `is another image of the sample ${key}, whose class ${chosen.path} has`,
          };
        }
      } else if (sample.length > 1) {
        alike.push(path);
      }
      return { ...image, problem: null };
    });
    return { images, remarks: [...this.#unread.remarks(), ...remarksOf(alike)] };
  }
}

function remarksOf(alike: readonly string[]): string[] {
  if (alike.length === 0) return [];
  const some = alike.slice(0, 2).join(', ');
  return [`${alike.length} images have the same name up to its first dot (${some}); each is used by itself`];
}

/** webdataset's own rule: up to the first dot of the name. */
function keyOf(path: string): string {
  const dot = path.indexOf('.', path.lastIndexOf('/') + 2);
  return dot === -1 ? path : path.slice(0, dot);
}

/** Up to the last one. */
function stemOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1 ? path.slice(0, dot) : path;
}
