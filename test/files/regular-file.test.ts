/** Whatever is read is looked at first: a named pipe in its place would be waited for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** Where files are opened in other ways, and what is opened there. */
const OTHERS: Record<string, RegExp> = {
  'files/regular-file.ts': /./,
  // Those that are made, and folders that are synced.
  'files/replace.ts': /open\((temporary, 'wx'|directory, 'r')\)/,
  'files/trace-file.ts': /openSync\(path, (isNew|'r')/,
  'images/cache/segment.ts': /open\(temporary, 'wx\+'\)/,
  'native/scratch-file.ts': /open\((`\/proc\/self\/fd|reference, 'wx\+')/,
  // Looked at before, and opened without following links or waiting.
  'run/journal.ts': /open\((temporary, 'wx'\)|path, constants\.O_RDWR .*O_NOFOLLOW)/,
  'run/mark-failed.ts': /open\(path, flags\)/,
  'fetch/partial.ts': /open\(join\(folder, \w+\), (GO_ON|'wx\+')\)/,
  // The kernel's, and critmap's own.
  'run/lock.ts': /readFile\('\/proc\//,
  'machine.ts': /./,
  'doctor/native.ts': /readFileSync\(place, 'utf8'\)/,
  'version.ts': /./,
  'figures/typeface.ts': /./,
  'report/explorer.ts': /readFileSync\(path, 'utf8'\)/,
};

t.test('files are opened by one module, but for a few that say why', async (t) => {
  const found = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(src, name), 'utf8');
      const isOfFs = (call: string) =>
        new RegExp(`import \\{[^}]*\\b${call}\\b[^}]*\\} from 'node:fs(/promises)?'`).test(text);
      const calls = ['open', 'openSync', 'readFile', 'readFileSync', 'createReadStream'].filter(isOfFs);
      return calls.flatMap((call) =>
        [...text.matchAll(new RegExp(`(?<![.\\w#])(?<!function |async )${call}\\(.*`, 'g'))].map(
          ([line]) => ({
            name,
            line,
          }),
        ),
      );
    })
    .filter(({ name, line }) => !OTHERS[name.replaceAll('\\', '/')]?.test(line));
  t.strictSame(found, []);
});
