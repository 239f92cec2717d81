/** Shards as a real Slurm job array, one of which is killed and requeued: together they are one run, byte for byte. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { critmap } from '../commands/critmap.js';
import { example } from '../fixtures.js';
import { lacksSlurm, startCluster } from './slurm-cluster.js';

const SHARDS = 8;
const KILLED = 3;
const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv'];
const bytesOf = (directory: string) => names.map((name) => readFileSync(join(directory, name), 'utf8'));
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const words = [
  ...[example('resnet.onnx'), '--data', example('images.npz'), '--images', 'all', '--quiet'],
  ...['--images-per-draw', '8', '--trials', '2', '--threads', '1'],
];

/** As in docs/cluster.md; each start leaves its process in a file, so that the test can end it. */
const script = (dir: string) => `#!/bin/bash
#SBATCH --array=1-${SHARDS}%2
#SBATCH --ntasks=1 --cpus-per-task=1 --time=5
#SBATCH --requeue --open-mode=append --signal=B:TERM@60
#SBATCH --output=${dir}/log-%a.txt
echo $$ >> ${dir}/pids-$SLURM_ARRAY_TASK_ID
exec '${process.execPath}' '${cli}' sweep ${words.map((word) => `'${word}'`).join(' ')} \\
  --cache ${dir}/cache-$SLURM_ARRAY_TASK_ID \\
  --shard "$SLURM_ARRAY_TASK_ID/${SHARDS}" --out "${dir}/part-$SLURM_ARRAY_TASK_ID"
`;

async function until(what: string, isSo: () => boolean | Promise<boolean>, everyMs = 200): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(everyMs);
  }
}

t.test('an array of 8 tasks, one killed', { skip: lacksSlurm, timeout: 240_000 }, async (t) => {
  const cluster = await startCluster(t);
  if (typeof cluster === 'string') return void t.pass('a cluster', { skip: cluster });
  const { slurm } = cluster;
  const dir = t.testdir({});
  const one = await critmap('sweep', ...words, '--out', join(dir, 'one'));
  t.equal(one.code, 0, one.stderr);

  writeFileSync(join(dir, 'sweep.sh'), script(dir));
  const job = await slurm('sbatch', '--parsable', join(dir, 'sweep.sh'));
  const part = (index: number) => join(dir, `part-${index}`);
  const log = (index: number) => readFileSync(join(dir, `log-${index}.txt`), 'utf8');
  const states = async () =>
    (await slurm('squeue', '--noheader', '--array', '--states=all', '--format=%K %T')).split('\n');

  // Before its engine is open: it is not done yet, however fast the machine is.
  await until('the task to kill', () => existsSync(join(part(KILLED), 'run.json')), 5);
  const pids = () =>
    readFileSync(join(dir, `pids-${KILLED}`), 'utf8')
      .trim()
      .split('\n')
      .map(Number);
  process.kill(pids()[0]!, 'SIGKILL');
  await until('its failure', async () => (await states()).includes(`${KILLED} FAILED`));
  const shards = Array.from({ length: SHARDS }, (_, i) => part(i + 1));
  const others = async (state: string) =>
    (await states()).filter((line) => line.endsWith(` ${state}`)).length;
  await until('the others', async () => (await others('COMPLETED')) === SHARDS - 1);

  const early = await critmap('merge', ...shards, '--out', join(dir, 'early'));
  t.equal(early.code, 1, 'a shard that was killed is missing');
  t.match(early.stdout + early.stderr, `sbatch --array=${KILLED} SCRIPT`);
  t.match(early.stdout + early.stderr, `--shard ${KILLED}/${SHARDS}`);

  await slurm('scontrol', 'requeue', `${job}_${KILLED}`);
  // Slurm holds back for two minutes what it has requeued, in case a node is broken.
  const startNow = () =>
    slurm('scontrol', 'update', `JobId=${job}_${KILLED}`, 'StartTime=now').catch(() => '');
  await until('the requeued task', async () => {
    if ((await states()).includes(`${KILLED} PENDING`)) await startNow();
    return (await others('COMPLETED')) === SHARDS;
  });
  t.equal(pids().length, 2, 'it ran twice');

  const merged = await critmap('merge', ...shards.toReversed(), '--out', join(dir, 'merged'));
  t.equal(merged.code, 0, `${merged.stderr}${shards.map((_, i) => log(i + 1)).join('')}`);
  t.strictSame(bytesOf(join(dir, 'merged')), bytesOf(join(dir, 'one')));
});
