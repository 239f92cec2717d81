/** The page of errors has every code, with cause and remedy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from './pages.js';

t.test('every code has a row with its cause and its remedy', async (t) => {
  const source = readFileSync(join(root, 'src/errors.ts'), 'utf8');
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const union = source.slice(source.indexOf('CritmapErrorCode ='), source.indexOf('export class'));
  const codes = [...union.matchAll(/\| '(ERR_\w+)'/g)].map(([, code]) => code!);
  t.ok(codes.length >= 10, `${codes.length} codes`);
  const rows = [...page.matchAll(/^\| `(ERR_\w+)` \| (.+) \| (.+) \|$/gm)];
  t.strictSame(
    rows.map(([, code]) => code),
    codes,
    'in the order of src/errors.ts',
  );
  for (const [, code, cause, remedy] of rows) t.ok(cause!.length > 40 && remedy!.length > 40, `${code}`);
});
