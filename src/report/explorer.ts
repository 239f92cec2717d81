/** What a page has for its script: the bundled script itself, and its data as JSON that no name can end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { PAGE_DATA_ID, type PageData } from '../page/page-data.js';
import { packageRoot } from '../version.js';
import { bibtex } from './methods.js';
import { escapeHtml } from './text.js';

/** `npm run build:ts` makes it. */
const path = join(packageRoot, 'dist', 'page', 'page-script.js');
let script: string | undefined;

/** @throws CritmapError (ERR_NATIVE) where critmap was not built */
export function pageScript(): string {
  if (script !== undefined) return script;
  try {
    script = readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    throw new CritmapError(
      'ERR_NATIVE',
      `the page's script is missing (${messageOf(error)}); run npm run build:ts, or install critmap again`,
      { cause: error },
    );
  }
  return script;
}

/** JSON inside an HTML element that is not escaped: what could end it is written otherwise. */
const jsonInHtml = (value: unknown) =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/**
 * The place where the script explores the data, and the data.
 * @param isPrinted - whether it is on paper too, for want of still figures of the same
 */
export const explorerHtml = (data: PageData, isPrinted = false): string =>
  `<section id="explorer"${isPrinted ? ' class="printed"' : ''}></section>
<script type="application/json" id="${PAGE_DATA_ID}">${jsonInHtml(data)}</script>`;

/** The methods paragraph and how to cite. */
export const methodsHtml = (methods: string): string =>
  `<section class="methods">
<h2>Methods and citation</h2>
<pre class="copy prose" tabindex="0" role="region" aria-label="Methods paragraph">${escapeHtml(methods)}</pre>
<pre class="copy" tabindex="0" role="region" aria-label="BibTeX">${bibtex().split('\n').map(escapeHtml).join('\n')}</pre>
</section>`;
