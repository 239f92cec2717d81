/** Image files in a folder as a source: class subfolders give labels, files are decoded one by one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CritmapError } from '../errors.js';
import { listFolder } from './folder-listing.js';
import { fileError, imageError } from './input-error.js';
import { readImage } from './read-image.js';
import type { ImageSource } from './source.js';

/**
 * @param root - the folder, as the user wrote it
 * @param channels - what the model takes: 3 gives RGB, 1 gives Pillow's `L`
 * @param labels - `classes`: subfolders are the labels, and there must be some; `if-any`: they are, when
 *   there are some; `ignore`: all images are one list
 * @throws CritmapError ERR_IMAGES
 */
export async function openFolder(
  root: string,
  channels: number,
  labels: 'classes' | 'if-any' | 'ignore',
): Promise<ImageSource> {
  if (channels !== 1 && channels !== 3) {
    throw imageError(
      root,
      `image files have 1 or 3 channels, the model takes ${channels}`,
      'give the images as a .npy or .npz array',
    );
  }
  const { files, subfolders, subfolderOf } = await listFolder(root);
  const loose = subfolderOf.lastIndexOf(-1) + 1;
  if (labels !== 'ignore' && loose > 0 && loose < files.length) {
    throw imageError(
      root,
      `${loose} of ${files.length} images are outside the class subfolders (${files[0]})`,
      'move them into one, or leave labels out with --labels none',
    );
  }
  if (labels === 'classes' && loose > 0) {
    throw imageError(root, 'has no class subfolders with images', 'leave out --labels folder');
  }
  const labelled = labels !== 'ignore' && loose === 0;
  const nameOf = (index: number) => join(root, files[index]!);
  return {
    kind: 'folder',
    content: 'pixels',
    total: files.length,
    size: null,
    names: files,
    labels: labelled ? subfolderOf : null,
    classNames: labelled ? subfolders : null,
    layout: 'image files',
    nameOf,
    raw: (index) =>
      readFile(nameOf(index)).catch((thrown: unknown) => Promise.reject(fileError(nameOf(index), thrown))),
    async decode(raw, index, fit) {
      try {
        return await readImage(raw, channels, fit);
      } catch (thrown) {
        if (thrown instanceof CritmapError) throw thrown;
        const [reason] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
        throw imageError(
          nameOf(index),
          `cannot be decoded (${reason})`,
          'replace it or take it out of the folder',
          thrown,
        );
      }
    },
    close: async () => {},
  };
}
