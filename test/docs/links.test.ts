/** Links between pages lead somewhere, every page is found from the index, and options that pages speak of exist. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { critmap } from '../commands/critmap.js';
import { commandsIn, pages, read, root } from './pages.js';

const all = pages();
const others = ['CHANGELOG.md', 'CONTRIBUTING.md', 'bench/README.md', 'examples/fashion/README.md'];

t.test('every link within the tree has its file and its heading', async (t) => {
  for (const page of [...all, ...others.map(read)]) {
    for (const link of page.links) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path, anchor] = link.split('#');
      const target = path ? relative(root, join(root, dirname(page.path), path)) : page.path;
      t.ok(existsSync(join(root, target)), `${page.path}: ${link}`);
      if (anchor) t.ok(read(target).anchors.has(anchor), `${page.path}: ${link}`);
    }
  }
});

t.test('the index has every page', async (t) => {
  const { links } = read('docs/README.md');
  for (const { path } of all) {
    if (/^docs\/(?!README)/.test(path)) t.ok(links.includes(path.slice('docs/'.length)), path);
  }
});

t.test('README is short', async (t) => {
  t.ok(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length <= 151);
});

/** Of npm, cmake-js, redis-server, GNU parallel, Slurm, and of the published study's code. */
const FOREIGN = new Set(
  [
    '--ignore-scripts --target --maxmemory-policy --jobs --resume-failed --sshloginfile --smoke --steps --seconds',
    '--array --requeue --signal',
    '--imagenet --n_trials --num_batches --batch_size --zero_weights --data_seed --save_logits --log_batches --wandb',
  ].flatMap((words) => words.split(' ')),
);

t.test('every option of a command that a page shows exists', async (t) => {
  const help = async (...words: string[]) => (await critmap(...words, '--help')).stdout;
  const optionsIn = (text: string) => text.match(/--[a-z][\w-]*/g) ?? [];
  const commands = [...(await help()).matchAll(/^ {2}critmap (\w[\w-]*)/gm)].map(([, name]) => name!);
  const known = new Map<string, Set<string>>();
  for (const name of commands) known.set(name, new Set(optionsIn(await help(name))));
  const any = new Set([...known.values()].flatMap((options) => [...options]));
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  let seen = 0;
  for (const page of all) {
    for (const block of page.blocks) {
      for (const [, script] of block.text.matchAll(/^npm run (?:--silent )?([\w:]+)/gm))
        t.ok(scripts[script!], `${block.name} has npm run ${script}`);
      for (const { command, words } of commandsIn(block)) {
        t.ok(known.has(command), `${block.name} has critmap ${command}`);
        for (const option of optionsIn(words.join(' '))) {
          t.ok(known.get(command)?.has(option), `${block.name} has ${command} ${option}`);
          seen++;
        }
      }
    }
    for (const word of page.words.filter((text) => /^(critmap|--)/.test(text))) {
      for (const option of optionsIn(word)) {
        if (!FOREIGN.has(option)) t.ok(any.has(option), `${page.path} speaks of ${option}`);
      }
    }
  }
  t.ok(seen > 100, `${seen} options`);
});
