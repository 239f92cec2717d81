/** From decoded pixels to the crop that is cached and normalised; and a mark of all that this depends on. */
import { createHash } from 'node:crypto';
import { messageOf } from '../errors.js';
import { native } from '../native/addon.js';
import { version } from '../version.js';
import { DECODING_REVISION, loadSharp } from './pixels/decode.js';
import type { Fit } from './pixels/fit.js';
import type { InputShape } from './pixels/pixels.js';
import { readImage } from './pixels/read-image.js';
import type { ImageTransform } from './transform.js';

/** What makes an image of any size the model's size. */
export function fitOf(transform: ImageTransform, { height, width }: InputShape): Fit {
  const crop = { height, width };
  if (transform.kind === 'tensors') return { resize: null, interpolation: 'bilinear', crop };
  const { resize, interpolation, squash } = transform;
  return { resize, interpolation: interpolation ?? 'bilinear', crop, ...(squash && { squash }) };
}

const PROBE = { width: 97, height: 61, channels: 3 } as const;

/**
 * What cached pixels belong to: the transform without the normalisation, the versions of all that decodes, and what
 * becomes of one fixed picture. That picture is a colour JPEG: it shows a change of the JPEG decoder or of the
 * resampler even if no version changed. A change in how other kinds of files are decoded shows in the versions only.
 */
export async function pipelineMark(transform: ImageTransform, shape: InputShape): Promise<unknown> {
  const sharp = await loadSharp();
  const geometry = { ...transform, mean: null, std: null };
  const versions = {
    ...sharp.versions,
    jpeg: native().info().jpeg,
    critmap: version,
    decoding: DECODING_REVISION,
  };
  return { geometry, shape, versions, probe: await probe(fitOf(transform, shape), shape) };
}

async function probe(fit: Fit, { channels }: InputShape): Promise<string> {
  const { width, height } = PROBE;
  const sharp = await loadSharp();
  const raw = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 37 + (at >> 5) * 11) & 255);
  try {
    const file = await sharp(raw, { raw: PROBE }).jpeg({ quality: 90 }).toBuffer();
    const { data } = await readImage(file, channels as 1 | 3, fit);
    return createHash('sha256').update(data).digest('hex');
  } catch (error) {
    // A crop that this picture cannot give: then its size is the mark.
    return messageOf(error);
  }
}
