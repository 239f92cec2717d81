import t from 'tap';
import { fileGlob, glob } from '../../src/files/glob.js';

t.test('what globs match', async (t) => {
  for (const [pattern, yes, no] of [
    ['fc', ['fc'], ['fc1', 'afc', '']],
    ['layer1.*', ['layer1.', 'layer1.0.conv1'], ['layer1', 'layer2.0']],
    ['*', ['', 'a', 'a/b.c'], []],
    ['**conv?', ['conv1', 'a.conv2'], ['conv', 'conv12']],
    ['*.conv*.*', ['a.conv1.weight'], ['a.conv1']],
    ['a*b*c', ['abc', 'aXbYbZc'], ['ab', 'acb', 'abcd']],
    ['conv[12]', ['conv1', 'conv2'], ['conv3', 'conv12']],
    ['conv[!12]', ['conv3'], ['conv1', 'conv']],
    ['[a-c]x', ['ax', 'cx'], ['dx']],
    ['[]]', [']'], ['x']],
    ['conv[0', ['conv[0'], ['conv0']],
    ['\\*a', ['*a'], ['ba']],
    ['layer{1,3}.*', ['layer1.x', 'layer3.x'], ['layer2.x']],
    ['blocks.{0..2}', ['blocks.0', 'blocks.2'], ['blocks.3']],
    ['?', ['漢', '😀'], ['ab']],
  ] as const) {
    const matches = glob(pattern);
    for (const name of yes) t.ok(matches(name), `${pattern} matches ${JSON.stringify(name)}`);
    for (const name of no) t.notOk(matches(name), `${pattern} does not match ${JSON.stringify(name)}`);
  }
});

t.test('hidden files are matched by patterns of hidden files only', async (t) => {
  t.ok(fileGlob('*.tar')('a.tar'));
  t.notOk(fileGlob('*.tar')('.a.tar'));
  t.ok(fileGlob('.*')('.a.tar'));
});

/** Tries everything: right by its plainness, and slow. */
function plainly(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first === '*') return plainly(rest, name) || (name !== '' && plainly(pattern, name.slice(1)));
  return name !== '' && (first === '?' || first === name[0]) && plainly(rest, name.slice(1));
}

t.test('every short pattern matches what the definition says', async (t) => {
  const words = (alphabet: string, most: number): string[] =>
    most === 0
      ? ['']
      : ['', ...words(alphabet, most - 1).flatMap((word) => [...alphabet].map((a) => a + word))];
  const wrong: string[] = [];
  for (const pattern of new Set(words('ab*?', 4))) {
    const matches = glob(pattern);
    for (const name of new Set(words('ab', 5))) {
      if (matches(name) !== plainly(pattern, name)) wrong.push(`${pattern} ${name}`);
    }
  }
  t.strictSame(wrong, []);
});

t.test('a long name takes no longer than it must', async (t) => {
  const name = 'a'.repeat(50_000);
  const start = process.cpuUsage();
  t.notOk(glob('*a*a*b')(name));
  t.notOk(glob('*a*a*a*a*b')(name));
  t.notOk(glob(`${'*a'.repeat(20)}b`)(name));
  t.ok(process.cpuUsage(start).user < 5e6);
});
