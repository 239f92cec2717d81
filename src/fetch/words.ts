/**
 * Words that name a file by its address instead of a path:
 *
 * - `hf:OWNER/NAME[@REVISION]`, a repository of the Hugging Face hub as a folder, and `hf:OWNER/NAME[@REVISION]/FILE`
 * - `https://HOST/PATH[#sha256=HEX]`; `http:` on this machine only
 *
 * Either may end with `#PLACE`, as a checkpoint's path may.
 */
import { CritmapError, quoted } from '../errors.js';

export interface HubWord {
  kind: 'hub';
  /** `OWNER/NAME`. */
  repository: string;
  /** A branch, a tag, `refs/pr/N` or a commit. */
  revision: string;
  /** Undefined for the folder. */
  file?: string;
  place?: string;
}

export interface UrlWord {
  kind: 'url';
  url: URL;
  /** What the file must be, in hex. */
  sha256?: string;
  place?: string;
}

export type RemoteWord = HubWord | UrlWord;

/** Whether it is an address; what is none is a path. */
export const isRemote = (text: string) => /^(hf:|https?:\/\/)/i.test(text);

/** @throws CritmapError (ERR_OPTION) when it is an address that says nothing, or one that must not be asked */
export function parseRemote(text: string): RemoteWord {
  return /^hf:/i.test(text) ? parseHub(text) : parseUrl(text);
}

const refuse = (text: string, why: string) => new CritmapError('ERR_OPTION', `${quoted(text)}: ${why}`);

const HUB_FORM = 'write hf:OWNER/NAME, hf:OWNER/NAME@REVISION or hf:OWNER/NAME@REVISION/FILE';
/** A revision with slashes is one of these, or has them as %2F. */
const HUB = /^hf:([\w.-]+\/[\w.-]+)(?:@(refs\/(?:pr|convert)\/[^/]+|[^/]+))?(?:\/(.+))?$/i;

function parseHub(text: string): HubWord {
  const at = text.lastIndexOf('#');
  const [address, place] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  const [, repository, encoded = 'main', file] = HUB.exec(address) ?? [];
  if (repository === undefined || place === '') throw refuse(text, HUB_FORM);
  const revision = decoded(encoded);
  if (!revision || ![repository, revision, ...(file === undefined ? [] : [file])].every(isPlain)) {
    throw refuse(text, HUB_FORM);
  }
  return {
    kind: 'hub',
    repository,
    revision,
    ...(file !== undefined && { file }),
    ...(place !== undefined && { place }),
  };
}

/** These become parts of paths, which must not lead elsewhere. */
const isPlain = (path: string) =>
  !/[\\\p{Cc}?#]/u.test(path) &&
  path.split('/').every((step) => step !== '' && step !== '.' && step !== '..');

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseUrl(text: string): UrlWord {
  const [address = '', ...fragments] = text.split('#');
  // Never quoted whole: what is behind the question mark may be a key.
  const told = address.replace(/\?.*$/su, '?...').replace(/\/\/[^/@]*@/u, '//...@');
  if (!URL.canParse(address)) throw refuse(told, 'is no web address');
  const url = new URL(address);
  if (url.username || url.password) throw refuse(told, 'has a name or a password in it, which is not taken');
  if (!isTrusted(url)) throw refuse(told, 'is not encrypted; give an https: address');
  const pins = fragments.filter((fragment) => /^sha256/i.test(fragment));
  const places = fragments.filter((fragment) => !pins.includes(fragment));
  const [, sha256] = /^sha256=([0-9a-f]{64})$/i.exec(pins[0] ?? '') ?? [];
  if (pins.length > 1 || (pins.length === 1 && sha256 === undefined)) {
    throw refuse(told, 'what its content must be is written #sha256= and 64 hexadecimal digits');
  }
  if (places.length > 1 || places[0] === '') throw refuse(told, 'has several places; give one, #PLACE');
  return {
    kind: 'url',
    url,
    ...(sha256 !== undefined && { sha256: sha256.toLowerCase() }),
    ...(places[0] !== undefined && { place: places[0] }),
  };
}

const isLoopback = ({ hostname }: URL) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** Encrypted, or never on a wire. */
export const isTrusted = (url: URL) =>
  url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));

/** How it is called in messages and results: without what may be a key. */
export function nameOfWord(word: RemoteWord): string {
  if (word.kind === 'url') return shownUrl(word.url);
  const { repository, revision, file } = word;
  return `hf:${repository}${revision === 'main' ? '' : `@${revision}`}${file === undefined ? '' : `/${file}`}`;
}

export const shownUrl = ({ origin, pathname, search }: URL) =>
  `${origin}${pathname}${search === '' ? '' : '?...'}`;
