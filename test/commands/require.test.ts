/** The package in CommonJS, where Node.js can require modules. */
import { execFileSync } from 'node:child_process';
import t from 'tap';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const canRequire = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);

t.test("require('critmap') gives what import gives", { skip: !canRequire && 'Node.js cannot' }, async (t) => {
  const run = (source: string, ...words: string[]) =>
    JSON.parse(execFileSync(process.execPath, [...words, '-e', source], { encoding: 'utf8' })) as string[];
  const required = run("console.log(JSON.stringify(Object.keys(require('critmap')).sort()))");
  const imported = run(
    "console.log(JSON.stringify(Object.keys(await import('critmap')).sort()))",
    '--input-type=module',
  );
  t.ok(required.includes('sweep'));
  t.strictSame(
    required.filter((name) => name !== '__esModule'),
    imported,
  );
});
