/** Image files in a folder as a source: class subfolders give labels, files are decoded one by one. */
import { join } from 'node:path';
import { readRegular } from '../../files/regular-file.js';
import { fileStamp } from '../cache/stamps.js';
import { fileError, imageError } from '../input-error.js';
import { decodeNamed, encodedChannels } from './encoded.js';
import { listFolder } from './folder-listing.js';
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
  const wanted = encodedChannels(root, channels);
  const { files, subfolders, loops, remarks, subfolderOf } = await listFolder(root);
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
    content: 'files',
    total: files.length,
    size: null,
    names: files,
    labels: labelled ? subfolderOf : null,
    classNames: labelled ? subfolders : null,
    layout: 'image files',
    warnings: [
      ...loops.map(
        (path) => `${join(root, path)} is a link to a folder that contains it; the link is not followed`,
      ),
      ...remarks.map((remark) => `${root}: ${remark}`),
    ],
    nameOf,
    pathOf: nameOf,
    stamp: (index) => named(nameOf(index), fileStamp),
    raw: (index) => named(nameOf(index), (path) => readRegular(path)),
    decode: (raw, index, fit) => decodeNamed(raw, wanted, fit, nameOf(index)),
    close: async () => {},
  };
}

function named<T>(path: string, work: (path: string) => Promise<T>): Promise<T> {
  return work(path).catch((thrown: unknown) => Promise.reject(fileError(path, thrown)));
}
