/** Completion in shells: what critmap suggests, and what a shell makes of it. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { completions, typedOf } from '../../src/commands/completion.js';
import { critmapIn } from './critmap.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** What is suggested for the last word. */
async function suggested(SHELL: string, ...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await critmapIn({ SHELL }, '--get-yargs-completions', 'critmap', ...words);
  t.strictSame([code, stderr], [0, ''], words.join(' '));
  return stdout.split('\n').filter(Boolean);
}

t.test('commands, options and choices are suggested, and nothing where a file is wanted', async (t) => {
  const commands = await suggested('/bin/bash', '');
  t.ok(['sweep', 'study', 'doctor', 'completion'].every((word) => commands.includes(word)));
  t.ok(commands.every((word) => !word.startsWith('-')));
  const options = await suggested('/bin/bash', 'sweep', 'm.onnx', '--data', 'x', '--t');
  t.ok(
    options.includes('--tolerance') && !options.includes('--data'),
    'one that is there is not offered again',
  );
  t.strictSame(await suggested('/bin/bash', 'sweep', 'm.onnx', '--engine', ''), ['fast', 'reference']);
  t.strictSame(await suggested('/bin/bash', 'sweep', 'm.onnx', '--reset', 'pru'), [
    'prune=',
    'prune-channels=',
  ]);
  const groups = await suggested('/bin/bash', 'inspect', 'm.onnx', '--group', '');
  t.ok(groups.includes('block') && groups.includes('cumulative-from-output'));
  t.strictSame(await suggested('/bin/bash', 'sweep', ''), [], 'a model');
  t.strictSame(await suggested('/bin/bash', 'sweep', 'm.onnx', '--weights', ''), [], 'a checkpoint');
  t.match(await suggested('/bin/zsh', 'sweep', '--eng'), [/--engine:\S/], 'zsh shows what they mean');
});

t.test('nothing is said of words that are lacking yet', async (t) => {
  t.ok((await suggested('/bin/bash', 'pick', '--format', '')).includes('nncf'));
  t.ok((await suggested('/bin/bash', 'compare', '--')).includes('--baseline'));
});

t.test('values are suggested however they are written, and as a shell cuts words', async (t) => {
  /** Of the words behind `critmap sweep`; yargs knows nothing here. */
  const valuesOf = async (...words: string[]) => {
    const typed = typedOf(['--get-yargs-completions', 'critmap', 'sweep', ...words]);
    const done = new Promise<string[]>((resolve) => {
      completions(typed, (on) => on(null, ['keep', 'reset']), resolve);
    });
    return done;
  };
  for (const [words, values] of [
    [
      ['--arch', 'resnet1'],
      ['resnet18', 'resnet101', 'resnet152'],
    ],
    [['--arch=resnet18'], ['--arch=resnet18']],
    [['--arch', '=', 'resnet34'], ['resnet34']],
    [
      ['--device', 'c'],
      ['cpu', 'cuda', 'cuda:0', 'cuda:all'],
    ],
    [['--device', 'cuda', ':', 'a'], ['all']],
    [['--device', '=', 'cuda', ':', 'a'], ['all']],
    [
      ['--init', 'kaiming'],
      ['kaiming-normal', 'kaiming-uniform'],
    ],
    [
      ['--per-image', 'cosine,top'],
      ['cosine,top1', 'cosine,top5'],
    ],
    [
      ['--reset', 'quantize=int'],
      ['quantize=int8', 'quantize=int4'],
    ],
    [['--reset', 'quantize', '=', 'f'], ['fp8']],
    [['--reset=pru'], ['--reset=prune=', '--reset=prune-channels=']],
    // A choice that yargs knows.
    [['--norm=k'], ['--norm=keep', '--norm=reset']],
    [
      ['--norm', '=', 'k'],
      ['keep', 'reset'],
    ],
  ] as const) {
    t.strictSame(await valuesOf(...words), values, words.join(' '));
  }
  t.strictSame(await suggested('/bin/bash', 'sweep', 'm.onnx', '--norm=ke'), ['--norm=keep']);
});

const bash = spawnSync('bash', ['--version']).status === 0;

t.test('bash completes with the script', { skip: !bash && 'there is no bash' }, async (t) => {
  const dir = t.testdir({
    bin: { critmap: `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n` },
    'net.onnx': '',
    other: '',
  });
  chmodSync(join(dir, 'bin', 'critmap'), 0o755);
  const script = await critmapIn({ SHELL: '/bin/bash' }, 'completion');
  t.strictSame([script.code, script.stderr], [0, '']);
  /** As readline does: the function fills COMPREPLY. */
  const typed = (...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '--norc',
        '-c',
        `${script.stdout}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _critmap_yargs_completions; printf '%s\\n' "\${COMPREPLY[@]}"; complete -p critmap`,
      ],
      {
        cwd: dir,
        encoding: 'utf8',
        env: { PATH: `${join(dir, 'bin')}:${process.env.PATH}`, SHELL: '/bin/bash' },
      },
    );
    t.equal(stderr, '');
    return stdout.split('\n').filter(Boolean);
  };
  const registered = 'complete -o bashdefault -o default -F _critmap_yargs_completions critmap';
  t.strictSame(typed('critmap', 'doc'), ['doctor', registered]);
  t.strictSame(typed('critmap', 'sweep', '--engine', 're'), ['reference', registered]);
  t.strictSame(typed('critmap', 'sweep', '--engine', '=', 're'), ['reference', registered]);
  // With nothing suggested readline completes files, by `-o default`.
  t.strictSame(typed('critmap', 'sweep', 'n'), [registered]);
});

t.test('zsh has a script of its own, which falls back to files', async (t) => {
  const { stdout } = await critmapIn({ SHELL: '/bin/zsh' }, 'completion');
  t.match(stdout, /^#compdef critmap/);
  t.match(stdout, /_default/);
});
