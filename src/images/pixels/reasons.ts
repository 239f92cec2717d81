/** Why an image cannot be decoded, from sharp's words to a user's. */
import { CritmapError, messageOf } from '../../errors.js';

/** @throws Error with the reason of what `work` throws */
export async function reasoned<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CritmapError) throw thrown;
    throw new Error(reasonOf(thrown), { cause: thrown });
  }
}

/** Said of whole files. */
const OTHER_KIND = /not (implemented|configured|supported|built)|unsupported/i;
const BAD_HEADER = 'Input buffer has corrupt header:';

/**
 * sharp's reasons in a user's words. libvips lists all that it tried, a line each, and the reason last. Of damage its
 * lines are not shown: it has one list of them for the whole process, where those of pictures that fail at the same
 * time stand between each other.
 */
function reasonOf(thrown: unknown): string {
  const message = messageOf(thrown);
  if (message.endsWith('unsupported image format')) return 'it is no image of a format that is read';
  const part = message.startsWith(BAD_HEADER) ? 'header' : 'data';
  const said = message
    .replace(BAD_HEADER, '')
    .split('\n')
    .flatMap((line) => /^\s*\w+: (.+)$/.exec(line)?.[1] ?? []);
  const last = said.at(-1);
  if (last && OTHER_KIND.test(last)) return `it is of a kind that is not read: ${last}`;
  return last || part === 'header' || message === 'Unknown error' || message === ''
    ? `its ${part} is damaged or cut off`
    : message;
}
