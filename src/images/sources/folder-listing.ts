/**
 * Lists a folder of images as torchvision's ImageFolder does: every direct subfolder is a class, classes
 * in code-point order, each walked recursively with its folders and then its files in code-point order.
 * Names that begin with a dot (.DS_Store, ._copy.jpg, .ipynb_checkpoints) are never images or classes.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, imageError } from '../input-error.js';
import { UnreadKinds } from './unread-kinds.js';

/** File name endings of what is read, lower case. */
export const READ_EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.bmp', '.gif', '.avif'];

/**
 * And of all that counts as an image. torchvision reads two kinds more than our decoder: they are bad images, since
 * leaving them out would silently be another data set.
 */
export const IMAGE_EXTENSIONS: readonly string[] = [...READ_EXTENSIONS, '.ppm', '.pgm'];

/** The images of a folder. */
export interface FolderListing {
  /** Relative paths with `/`: first those directly in the folder, then subfolder by subfolder. */
  readonly files: readonly string[];
  /** Direct subfolders in code-point order, those without images too. */
  readonly subfolders: readonly string[];
  /** Relative paths of links that lead back into a folder that they are in, and are not followed. */
  readonly loops: readonly string[];
  /** What else a person should know of it, each one line. */
  readonly remarks: readonly string[];
  /** Per file its subfolder's position, -1 for files directly in the folder. */
  readonly subfolderOf: Int32Array;
}

/** Whether there is an image anywhere below a folder. */
export async function holdsImages(root: string): Promise<boolean> {
  const walk = newWalk(root);
  const chain = [await realPathOf(root)];
  for (const name of await listOne(walk, '', chain)) await descend(walk, name, chain);
  return walk.folders.some(({ images }) => images.length > 0);
}

interface Walk {
  readonly root: string;
  readonly folders: { path: string; images: string[] }[];
  readonly others: { count: number; examples: string[] };
  readonly loops: string[];
  readonly unread: UnreadKinds;
}

function newWalk(root: string): Walk {
  return { root, folders: [], others: { count: 0, examples: [] }, loops: [], unread: new UnreadKinds() };
}

/**
 * @param root - the folder, as the user wrote it
 * @throws CritmapError ERR_IMAGES when it cannot be listed or holds no image
 */
export async function listFolder(root: string): Promise<FolderListing> {
  const walk = newWalk(root);
  const files: string[] = [];
  const owner: number[] = [];
  const take = (subfolder: number) => {
    for (const { path, images } of walk.folders.splice(0).sort((a, b) => compareCodePoints(a.path, b.path))) {
      for (const name of images.sort(compareCodePoints)) {
        files.push(path === '' ? name : `${path}/${name}`);
        owner.push(subfolder);
      }
    }
  };
  const chain = [await realPathOf(root)];
  const subfolders = (await listOne(walk, '', chain)).sort(compareCodePoints);
  take(-1);
  for (const [position, subfolder] of subfolders.entries()) {
    await descend(walk, subfolder, chain);
    take(position);
  }
  if (files.length === 0) throw noImages(walk, subfolders.length);
  return {
    files,
    subfolders,
    loops: walk.loops,
    remarks: walk.unread.remarks(),
    subfolderOf: Int32Array.from(owner),
  };
}

async function descend(walk: Walk, path: string, chain: readonly string[]): Promise<void> {
  const real = await realPathOf(join(walk.root, path));
  // A link to a folder that we are inside of would be walked for ever.
  if (chain.includes(real)) {
    walk.loops.push(path);
    return;
  }
  const inner = [...chain, real];
  for (const name of await listOne(walk, path, inner)) await descend(walk, `${path}/${name}`, inner);
}

/** Records the images of one folder and returns its subfolders' names. */
async function listOne(walk: Walk, path: string, chain: readonly string[]): Promise<string[]> {
  const absolute = chain.at(-1)!;
  const shown = join(walk.root, path);
  const entries = await readdir(absolute, { withFileTypes: true }).catch((thrown: unknown) =>
    Promise.reject(fileError(shown, thrown)),
  );
  const subfolders: string[] = [];
  const images: string[] = [];
  for (const entry of entries) {
    const name = entry.name;
    const kind = name.startsWith('.') ? 'other' : await kindOf(entry, absolute);
    if (kind === 'folder') subfolders.push(name);
    else if (kind === 'file' && hasExtension(name, IMAGE_EXTENSIONS)) images.push(name);
    else {
      if (kind === 'file' && !name.startsWith('.')) walk.unread.add(name);
      walk.others.count++;
      if (walk.others.examples.length < 3) walk.others.examples.push(name);
    }
  }
  walk.folders.push({ path, images });
  return subfolders;
}

/** Pipes and devices are `other`: reading one might never end. A broken link fails as a file when read. */
async function kindOf(entry: Dirent, parent: string): Promise<'folder' | 'file' | 'other'> {
  const target = entry.isSymbolicLink() ? await stat(join(parent, entry.name)).catch(() => null) : entry;
  if (target === null || target.isFile()) return 'file';
  return target.isDirectory() ? 'folder' : 'other';
}

function realPathOf(path: string): Promise<string> {
  return realpath(path).catch((thrown: unknown) => Promise.reject(fileError(path, thrown)));
}

function hasExtension(name: string, extensions: readonly string[]): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && extensions.includes(name.slice(dot).toLowerCase());
}

function noImages(walk: Walk, subfolders: number): Error {
  const { count, examples } = walk.others;
  const listed = `${examples.join(', ')}${count > examples.length ? ', ...' : ''}`;
  const found =
    count > 0
      ? `only ${count} other ${count === 1 ? 'file' : 'files'} (${listed})`
      : subfolders > 0
        ? 'only empty subfolders'
        : 'the folder is empty';
  return imageError(
    walk.root,
    `no images, ${found}`,
    `give a folder with ${READ_EXTENSIONS.join(' ')} files`,
  );
}

/** Order by Unicode code point, as Python sorts strings; `<` would order by UTF-16 unit. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return aboveSurrogates(left) - aboveSurrogates(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all other units, yet units 0xe000 to 0xffff follow them. */
function aboveSurrogates(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
