/** What the tests of the image cache share: a folder of photographs, and reading all of it here or in a process. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { type ImageOptions, openImages } from '../../../src/images/index.js';

export const SHAPE = { channels: 3, height: 32, width: 32 };
export const FLOATS = 3 * 32 * 32;

/** A folder of JPEG files, each of its own content. */
export async function photos(root: string, count: number): Promise<string> {
  mkdirSync(root, { recursive: true });
  for (let at = 0; at < count; at++) {
    const data = Uint8Array.from({ length: 50 * 40 * 3 }, (_, i) => (i * (at + 7)) >> 5);
    await sharp(data, { raw: { height: 40, width: 50, channels: 3 } })
      .jpeg()
      .toFile(join(root, `${String(at).padStart(4, '0')}.jpg`));
  }
  return root;
}

export async function readAll(source: string, options: Partial<ImageOptions>) {
  const set = await openImages(source, { shape: SHAPE, images: 'all', ...options });
  const fingerprint = await set.fingerprint();
  const pixels = new Float32Array(set.count * FLOATS);
  await set.read(0, set.count, pixels);
  await set.close();
  const images = Array.from({ length: set.count }, (_, at) =>
    hash(pixels.subarray(at * FLOATS, (at + 1) * FLOATS)),
  );
  return { fingerprint, images, pixels: hash(pixels), warnings: set.warnings };
}

export const segments = (cache: string) =>
  readdirSync(join(cache, 'pixels'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.segment'))
    .map((name) => join(cache, 'pixels', name));

/** The folder of a transform, as the cache calls it. */
export const named = (transform: string) => createHash('sha256').update(transform).digest('hex').slice(0, 32);
export const digest = (text: string) => createHash('sha256').update(text).digest();

interface Answer {
  fingerprint: string;
  pixels: string;
  warnings: string[];
  /** With `fill`: what is in the cache's folder then. */
  files?: string[];
}

const hash = (pixels: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
    .digest('hex');

/** A process of its own that reads all images; see cache-reader.mjs. */
export function start(...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL('reader.mjs', import.meta.url)), args, { execArgv: [] });
}

/**
 * What such a process finds.
 * @param limit - words of the shell that Node.js is started under, in a program of its own beside the cache
 */
export function inChild(
  [root, cache, ...more]: [root: string, cache: string, ...more: string[]],
  limit?: { words: string; beside: string },
): Promise<Answer> {
  const script = fileURLToPath(new URL('reader.mjs', import.meta.url));
  const child = limit
    ? fork(script, [root, cache, ...more], { execArgv: [], execPath: shellWith(limit.words, limit.beside) })
    : start(root, cache, ...more);
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    child.once('message', (message) => {
      answer = message as Answer;
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      answer ? resolve(answer) : reject(new Error(`the child ended with ${code}`)),
    );
  });
}

/**
 * A program that is Node.js under a limit of the shell's. Without what tap loads into it: that ends a process at the
 * signal of `ulimit -f`, which Node.js itself ignores.
 */
function shellWith(words: string, folder: string): string {
  const path = join(folder, 'limited');
  writeFileSync(path, `#!/bin/sh\nunset NODE_OPTIONS\n${words} '${process.execPath}' "$@"\n`, {
    mode: 0o755,
  });
  return path;
}
