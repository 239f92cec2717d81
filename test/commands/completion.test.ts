/** Completion in shells: what critmap suggests, and what a shell makes of it. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
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
  // With nothing suggested readline completes files, by `-o default`.
  t.strictSame(typed('critmap', 'sweep', 'n'), [registered]);
});

t.test('zsh has a script of its own, which falls back to files', async (t) => {
  const { stdout } = await critmapIn({ SHELL: '/bin/zsh' }, 'completion');
  t.match(stdout, /^#compdef critmap/);
  t.match(stdout, /_default/);
});
