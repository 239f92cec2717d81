/**
 * Where the members of a tar file lie, found by reading headers and skipping contents: a shard of a gigabyte is
 * indexed in a moment and never unpacked. Understands ustar, pax and GNU long names. Nothing is ever written, so a
 * member's path names it and leads nowhere; one that leads out of the archive is refused all the same, as a sign that
 * the file is not what it seems.
 */
import { Header, Pax } from 'tar';
import { imageError } from '../input-error.js';
import type { ByteRange } from './byte-range.js';

const BLOCK = 512;
/** Read at once: a header, and the content of a small member after it. */
const WINDOW_BYTES = 4096;
const PADDING_BYTES = 64 * 1024;
const MOST_PADDING_BYTES = 2 ** 24;
const MOST_MEMBERS = 20_000_000;
const MOST_LONG_NAME_BYTES = 2 ** 20;

/** A file in a tar file. */
export interface TarMember {
  path: string;
  /** Of its content, in bytes from the start of the tar file. */
  position: number;
  byteLength: number;
  /** The content of a small member. */
  content: Buffer | null;
}

/**
 * Calls `take` for every plain file in the archive, in its order.
 * @param keepContent - whether to hand over the content of a small member that was read on the way
 * @returns why there may be fewer of them than there were once: the archive has no end, or is cut off in a member, or
 *   goes on behind its end; null when it is whole
 * @throws CritmapError ERR_IMAGES when it is no tar file or damaged, or a path leads out of it
 */
export async function indexTar(
  range: ByteRange,
  keepContent: (path: string) => boolean,
  take: (member: TarMember) => void,
): Promise<string | null> {
  const { name, byteLength: end } = range;
  let extended: Header | Pax | undefined;
  let global: Pax | undefined;
  let longPath: string | undefined;
  let members = 0;
  for (let position = 0; position < end; ) {
    const window = await range.read(position, Math.min(WINDOW_BYTES, end - position));
    if (window.length < BLOCK) return `is truncated (the member at byte ${position} is cut off)`;
    const header = parse(window, extended as Pax | undefined, global, name, position);
    // Two blocks of zeros are the end, of which one will do.
    if (header.nullBlock) return behindEnd(range, position);
    if (!header.cksumValid) {
      throw imageError(name, `is no tar file, or damaged at byte ${position}`, 'write or copy it again');
    }
    const size = header.size ?? 0;
    const content = position + BLOCK;
    if (!(Number.isSafeInteger(size) && size >= 0)) {
      throw imageError(name, `has a member of ${size} bytes at byte ${position}`, 'write it again');
    }
    if (content + size > end) {
      const which = longPath ?? header.path ?? '';
      return `is truncated (the member at byte ${position}, ${which}, is cut off)`;
    }
    if (++members > MOST_MEMBERS) throw imageError(name, `has over ${MOST_MEMBERS} members`, 'split it');
    position = content + Math.ceil(size / BLOCK) * BLOCK;
    const { type } = header;
    if (type === 'ExtendedHeader' || type === 'GlobalExtendedHeader' || type === 'NextFileHasLongPath') {
      const text = await longText(range, content, size);
      if (type === 'NextFileHasLongPath') longPath = text.replace(/\0.*$/s, '');
      else if (type === 'GlobalExtendedHeader') global = Pax.parse(text, global, true);
      else extended = Pax.parse(text, extended as Pax | undefined, false);
      continue;
    }
    const path = longPath ?? header.path ?? '';
    longPath = undefined;
    extended = undefined;
    if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') {
      refuseOutside(path, name);
      const whole = keepContent(path) && BLOCK + size <= window.length;
      take({
        path: path.replace(/^(?:\.\/)+/, ''),
        position: content,
        byteLength: size,
        content: whole ? Buffer.from(window.subarray(BLOCK, BLOCK + size)) : null,
      });
    } else if (type === 'Link' || type === 'SymbolicLink' || type === 'Unsupported') {
      throw imageError(
        name,
        `${path} is a ${type === 'Unsupported' ? 'kind of member that is not known' : 'link'}, not a file`,
        'write the files themselves into it',
      );
    }
  }
  return `is cut off: nothing marks its end behind its ${members} members`;
}

function isHeader(block: Buffer): boolean {
  try {
    return new Header(block, 0).cksumValid;
  } catch {
    return false;
  }
}

/** Padding is zeros, mostly to 10 kB. Of two archives in one file every reader takes the first. */
async function behindEnd(range: ByteRange, start: number): Promise<string | null> {
  const end = Math.min(range.byteLength, start + MOST_PADDING_BYTES);
  for (let position = start; position < end; position += PADDING_BYTES) {
    const bytes = await range.read(position, Math.min(PADDING_BYTES, end - position));
    const at = bytes.findIndex((value) => value !== 0);
    if (at === -1) continue;
    const block = position + at - (at % BLOCK);
    if (block + BLOCK > range.byteLength) return null;
    return isHeader(await range.read(block, BLOCK))
      ? `goes on behind its end, with another archive at byte ${block}`
      : null;
  }
  return null;
}

function parse(
  window: Buffer,
  extended: Pax | undefined,
  global: Pax | undefined,
  name: string,
  position: number,
): Header {
  try {
    return new Header(window.subarray(0, BLOCK), 0, extended, global);
  } catch (thrown) {
    throw imageError(
      name,
      `is no tar file, or damaged at byte ${position}`,
      'write or copy it again',
      thrown,
    );
  }
}

async function longText(range: ByteRange, position: number, size: number): Promise<string> {
  if (size > MOST_LONG_NAME_BYTES) {
    throw imageError(range.name, `has a header of ${size} bytes at byte ${position}`, 'write it again');
  }
  return (await range.read(position, size)).toString('utf8');
}

function refuseOutside(path: string, name: string): void {
  if (path.startsWith('/') || /(?:^|[/\\])\.\.(?:[/\\]|$)/.test(path) || /^[a-z]:[/\\]/i.test(path)) {
    throw imageError(name, `has a path that leads out of it (${path})`, 'write it again with relative paths');
  }
}
