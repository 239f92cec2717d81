/** The manual page that packages carry. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { critmap } from '../commands/critmap.js';

const { manPage } = (await import(`${'../../scripts/man-page.mjs'}`)) as { manPage(): Promise<string> };
const hasGroff = spawnSync('groff', ['--version']).status === 0;

t.test('every command and option that help names is on it', async (t) => {
  const page = await manPage();
  const { stdout } = await critmap('--help');
  const commands = [...stdout.matchAll(/^ {2}critmap ([\w-]+)/gm)].map(([, name]) => name!);
  t.ok(commands.length > 12);
  t.ok(commands.includes('module-criticality'));
  for (const name of commands) {
    t.ok(page.includes(`\n.SS "critmap ${name.replaceAll('-', '\\-')}`), name);
  }
  for (const code of ['129', '143', '130']) t.ok(page.includes(`\n.B ${code}\n`), code);
  for (const variable of ['HF_TOKEN', 'CRITMAP_REDIS_PASSWORD'])
    t.ok(page.includes(`${variable}\n`), variable);
  const help = await critmap('sweep', '--help');
  const options = [...help.stdout.matchAll(/^ {2,}(--[a-z-]+) /gm)].map(([, name]) => name!);
  t.ok(options.length > 40);
  const sweep = page.slice(page.indexOf('.SS "critmap sweep'), page.indexOf('.SS "critmap inspect'));
  for (const option of options.filter((name) => name !== '--version')) {
    t.ok(sweep.includes(`.B ${option.replaceAll('-', '\\-')}\n`), option);
  }
});

t.test('groff has nothing against it', { skip: !hasGroff && 'there is no groff' }, async (t) => {
  const { status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], {
    input: await manPage(),
    encoding: 'utf8',
  });
  t.strictSame([status, stderr], [0, '']);
});
