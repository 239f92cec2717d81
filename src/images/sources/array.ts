/**
 * Images in a .npy or .npz file as a source: uint8 N x H x W [x C] pixels, or float32 N x C x H x W
 * tensors. Owns the file handle until `close`. Elements are read from disk as they are needed, so the
 * file may be larger than memory. Assumes a little-endian machine, as all that Node.js is built for are.
 */
import type { FileHandle } from 'node:fs/promises';
import { openRegular } from '../../files/regular-file.js';
import { fileError, imageError } from '../input-error.js';
import { fitPixels } from '../pixels/fit.js';
import type { InputShape } from '../pixels/pixels.js';
import { blockReader } from './block-reader.js';
import { type ByteRange, fileRange } from './byte-range.js';
import { readLabelArray } from './label-array.js';
import { type NpyHeader, readNpyHeader, shapeText } from './npy.js';
import { openNpz } from './npz.js';
import type { ImageSource } from './source.js';

/** Whether a path is taken for an array, by its ending. */
export function isArrayPath(path: string): boolean {
  return /\.np[yz]$/i.test(path);
}

/**
 * @param path - ends in .npy or .npz (arrays `images` and, if asked for, `labels`)
 * @param shape - what the model takes; float32 tensors must have it, uint8 images its channels
 * @param use - whether labels are wanted, and whether the model takes tensors of any height and width
 * @throws CritmapError ERR_IMAGES
 */
export async function openArray(
  path: string,
  shape: InputShape,
  use: { labels: boolean; anySize: boolean },
): Promise<ImageSource> {
  const handle = await openRegular(path).catch((thrown: unknown) => Promise.reject(fileError(path, thrown)));
  try {
    const { images, labels } = await openRanges(handle, path, use.labels);
    const header = await readNpyHeader(images);
    const source = describe(images, header, shape, use.anySize);
    return {
      ...source,
      kind: 'array',
      names: null,
      labels: labels && (await readLabelArray(labels, source.total)),
      classNames: null,
      nameOf: (index) => `${images.name} image ${index}`,
      raw: blockReader(images, header.dataStart, header.dataBytes / source.total, source.total),
      close: () => handle.close(),
    };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function openRanges(
  handle: FileHandle,
  path: string,
  withLabels: boolean,
): Promise<{ images: ByteRange; labels: ByteRange | null }> {
  if (!/z$/i.test(path)) {
    return { images: fileRange(handle, path, 0, (await handle.stat()).size), labels: null };
  }
  const archive = await openNpz(handle, path);
  const images = await archive.member('images');
  if (!images) {
    const keys = archive.keys.length > 0 ? `arrays are ${archive.keys.join(', ')}` : 'there are no arrays';
    throw imageError(path, `has no array "images" (${keys})`, 'save it with numpy.savez(file, images=...)');
  }
  return { images, labels: withLabels ? await archive.member('labels') : null };
}

type Description = Pick<ImageSource, 'content' | 'total' | 'size' | 'layout' | 'decode'>;

function describe(
  { name }: ByteRange,
  { dtype, shape }: NpyHeader,
  model: InputShape,
  anySize: boolean,
): Description {
  const dims = shape.length;
  if (shape.includes(0)) throw imageError(name, `holds no images (shape ${shapeText(shape)})`, 'save some');
  if (dtype === 'uint8' && (dims === 3 || dims === 4)) {
    const [total, height, width, channels = 1] = shape as [number, number, number, number?];
    if (channels !== model.channels) throw wrongChannels(name, shape, channels, model);
    return {
      content: 'pixels',
      total,
      size: { height, width },
      layout: `uint8 ${height}x${width}x${channels}`,
      decode: (raw, _index, fit) => fitPixels({ data: raw, height, width, channels }, fit),
    };
  }
  if (dtype === 'float32' && dims === 4) {
    const [total, channels, height, width] = shape as [number, number, number, number];
    const fits = anySize || (height === model.height && width === model.width);
    if (channels !== model.channels || !fits) {
      const takes = anySize ? `${model.channels} channels of any size` : modelText(model);
      throw imageError(
        name,
        `float32 tensors are ${channels}x${height}x${width}, the model takes ${takes} (channels x height x width)`,
        channels !== model.channels && width === model.channels
          ? 'they look like N x H x W x C: save images.transpose(0, 3, 1, 2)'
          : 'save tensors of that shape, or uint8 images to have them resized',
      );
    }
    return {
      content: 'tensors',
      total,
      size: { height, width },
      layout: `float32 ${channels}x${height}x${width}`,
      decode: () => Promise.reject(new TypeError('tensors are not decoded')),
    };
  }
  throw imageError(
    name,
    `is ${dtype} of shape ${shapeText(shape)}`,
    'save uint8 images N x H x W [x C] (0 to 255), or float32 tensors N x C x H x W as the model takes them',
  );
}

function wrongChannels(name: string, shape: readonly number[], channels: number, model: InputShape): Error {
  const [, height, width] = shape;
  const plural = (count: number) => `${count} channel${count === 1 ? '' : 's'}`;
  let remedy = `save images with ${plural(model.channels)}`;
  if (shape.length === 4 && shape[1] === model.channels) {
    remedy = 'they look like N x C x H x W: save images.transpose(0, 2, 3, 1)';
  } else if (channels === 1 && model.channels === 3) {
    const images = shape.length === 3 ? 'images[..., None]' : 'images';
    remedy = `repeat the channel (numpy.repeat(${images}, 3, axis=3)) or take another model`;
  }
  const problem = `images are ${height}x${width} with ${plural(channels)}`;
  return imageError(name, `${problem}, the model takes ${plural(model.channels)}`, remedy);
}

function modelText({ channels, height, width }: InputShape): string {
  return `${channels}x${height}x${width}`;
}
