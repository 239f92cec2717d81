/**
 * Files of web addresses, kept in critmap's own cache folder: `downloads/HASH/NAME`, and `downloads/HASH.json`, which
 * says what it is. One whose SHA-256 is given is taken from there without a word to anybody; of another the server is
 * asked whether it is still the newest.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { DOWNLOADS, defaultCacheDirectory } from '../files/cache-directory.js';
import { makeDirectory } from '../files/make-directory.js';
import { openRegular, readRegular } from '../files/regular-file.js';
import { replaceFile } from '../files/replace.js';
import { cannotKeep, type Downloaded, download } from './download.js';
import { fetchError, Unreachable } from './fetch-error.js';
import { discard } from './http.js';
import { type FetchOptions, isOffline } from './options.js';
import { shownUrl, type UrlWord } from './words.js';

export interface FetchedUrl {
  path: string;
  sha256: string;
  /** Whether it may not be the newest, in words. */
  warnings: string[];
}

const aboutSchema = z.object({
  url: z.string(),
  size: z.number(),
  sha256: z.string(),
  etag: z.string(),
  lastModified: z.string(),
});
type About = z.infer<typeof aboutSchema>;

/** @throws CritmapError (ERR_FETCH); the signal's reason */
export async function fetchUrl(word: UrlWord, options: FetchOptions): Promise<FetchedUrl> {
  const { url, sha256: pin } = word;
  const what = shownUrl(url);
  const root = join(defaultCacheDirectory(), DOWNLOADS);
  const folder = join(root, createHash('sha256').update(url.href).digest('hex').slice(0, 32));
  const path = join(folder, fileNameOf(url));
  const before = await keptAs(path, `${folder}.json`);
  if (pin !== undefined && before) {
    // What is on the disk counts, not what was written down of it.
    const sha256 = await hashOf(path, options.signal);
    if (sha256 === pin) return { path, sha256, warnings: [] };
  }
  if (isOffline(options)) {
    if (before && pin === undefined) return { path, sha256: before.sha256, warnings: [] };
    throw fetchError(what, 'has not been fetched before, and nothing is fetched now (HF_HUB_OFFLINE)');
  }
  try {
    const done = await fetchNew(
      word,
      what,
      { folder, path, before: pin === undefined ? before : null },
      options,
    );
    if (done === 'unchanged') return { path, sha256: before!.sha256, warnings: [] };
    const { size, sha256, etag, lastModified } = done;
    const about: About = { url: what, size, sha256, etag, lastModified };
    await replaceFile(`${folder}.json`, `${JSON.stringify(about, null, 1)}\n`);
    return { path, sha256, warnings: [] };
  } catch (error) {
    if (!(error instanceof Unreachable && before && pin === undefined)) throw error;
    return { path, sha256: before.sha256, warnings: [`${error.message}; what was fetched before is taken`] };
  }
}

async function fetchNew(
  { url, sha256: pin }: UrlWord,
  what: string,
  { folder, path, before }: { folder: string; path: string; before: About | null },
  options: FetchOptions,
): Promise<Downloaded | 'unchanged'> {
  await makeDirectory(folder).catch((error: unknown) => {
    throw cannotKeep(what, folder, error);
  });
  const known: Record<string, string> = before?.etag
    ? { 'if-none-match': before.etag }
    : before?.lastModified
      ? { 'if-modified-since': before.lastModified }
      : {};
  const digest = pin === undefined ? undefined : { kind: 'sha256' as const, hex: pin };
  return download(
    path,
    { what, url, headers: known, digest, refusal: (answer) => refusal(what, answer) },
    options,
  );
}

function refusal(what: string, response: Response) {
  const { status } = response;
  void discard(response);
  if (status === 404 || status === 410) return fetchError(what, `there is no such file (status ${status})`);
  if (status === 401 || status === 403) {
    return fetchError(what, `access is refused (status ${status}); download it by hand and give the file`);
  }
  return fetchError(what, `cannot be fetched (status ${status})`);
}

/** What is known of a file that is there whole; null when it is not. */
async function keptAs(path: string, about: string): Promise<About | null> {
  try {
    const known = aboutSchema.parse(JSON.parse(String(await readRegular(about))));
    return (await stat(path)).size === known.size ? known : null;
  } catch {
    return null;
  }
}

async function hashOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  const handle = await openRegular(path);
  await pipeline(handle.createReadStream(), hash, { ...(signal && { signal }) }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  return hash.digest('hex');
}

/** The last part of its path, as far as any file system takes it. */
function fileNameOf({ pathname }: URL): string {
  const last = pathname.split('/').findLast(Boolean) ?? '';
  const plain = last.replace(/%[0-9a-f]{2}/gi, '_').replace(/[^\w.-]/g, '_');
  return /[^._]/.test(plain) ? plain.slice(-100) : 'file';
}
