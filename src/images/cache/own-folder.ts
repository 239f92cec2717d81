/**
 * Makes sure that a cache's folder is nothing but a cache, before anything in it is ever deleted. It is marked as the
 * Cache Directory Tagging Specification (bford.info/cachedir) says, which backup programs skip.
 */
import { readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { DOWNLOADS } from '../../files/cache-directory.js';
import { makeDirectory } from '../../files/make-directory.js';
import { readRegular } from '../../files/regular-file.js';
import { imageError } from '../input-error.js';

const TAG = 'CACHEDIR.TAG';
const TAG_TEXT = `Signature: 8a477f597d28d172789f06886806bc55
# This folder holds decoded images of critmap, which may be deleted at any time.
`;
/** What a cache holds; there are some that have no tag yet. */
const OWN = ['pixels', 'stamps', DOWNLOADS, TAG];

/**
 * @param root - the cache's folder, made if it is not there
 * @param source - the images, as the user wrote them
 * @throws CritmapError ERR_IMAGES when it holds other things or lies in the folder of images; the file system's error
 *   when it cannot be made
 */
export async function claimFolder(root: string, source: string): Promise<void> {
  await refuseWithin(root, source);
  await makeDirectory(root);
  const names = await readdir(root);
  const foreign = names.find((name) => !OWN.includes(name));
  const tagged = foreign === undefined || (await readTag(root)) === TAG_TEXT;
  if (!tagged) {
    throw imageError(
      root,
      `is not an image cache, for it holds other files (${foreign})`,
      'give a new or empty folder with --cache',
    );
  }
  if (names.includes(TAG)) return;
  // If two processes start at once, one of them writes it. Without it the cache works as well.
  await writeFile(join(root, TAG), TAG_TEXT, { flag: 'wx' }).catch(() => {});
}

const readTag = (root: string): Promise<string | null> =>
  readRegular(join(root, TAG)).then(
    (bytes) => bytes.toString('utf8'),
    () => null,
  );

async function refuseWithin(root: string, source: string): Promise<void> {
  const info = await stat(source).catch(() => null);
  if (!info?.isDirectory()) return;
  const [inner, outer] = [await realPathOf(root), await realPathOf(source)];
  if (!join(inner, sep).startsWith(join(outer, sep))) return;
  throw imageError(
    root,
    `cannot be the image cache: it lies in the folder of images ${source}`,
    'give a folder elsewhere with --cache',
  );
}

/** Also of what is not there yet. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) throw error;
    return join(await realPathOf(parent), basename(path));
  }
}
