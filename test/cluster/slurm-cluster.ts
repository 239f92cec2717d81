/** A cluster of one node on loopback for a test: real daemons with a configuration of their own, which end with it. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../free-port.js';

const run = promisify(execFile);
const START_MS = 20_000;
const COMMAND_MS = 15_000;
const END_MS = 5000;

/** Why there is none, or false. */
export const lacksSlurm = (() => {
  for (const [program, flag] of [
    ['slurmctld', '-V'],
    ['slurmd', '-V'],
    ['munged', '--version'],
  ] as const) {
    if (spawnSync(program, [flag]).status !== 0) return `${program} is not installed`;
  }
  return userInfo().uid === 0 ? false : 'slurmd runs jobs as root only';
})();

export interface Cluster {
  /** Runs one of Slurm's commands; what it prints. Rejects when it fails or takes too long. */
  slurm(command: string, ...args: string[]): Promise<string>;
}

/** @returns the cluster, or in words why it cannot run here */
export async function startCluster(t: {
  teardown(end: () => Promise<void>): void;
}): Promise<Cluster | string> {
  // Sockets have short paths.
  const dir = mkdtempSync(join(tmpdir(), 'critmap-slurm-'));
  const env = { ...process.env, SLURM_CONF: join(dir, 'slurm.conf') };
  const children: ChildProcess[] = [];
  const slurm = async (command: string, ...args: string[]) =>
    (await run(command, args, { env, cwd: dir, timeout: COMMAND_MS })).stdout.trim();
  t.teardown(async () => {
    // Jobs first: they are no children of this process.
    await slurm('scancel', '--user', userInfo().username).catch(() => {});
    const end = Date.now() + END_MS;
    while (Date.now() < end && (await slurm('squeue', '--noheader').catch(() => '')) !== '') await sleep(100);
    for (const child of children.reverse()) await ended(child);
    rmSync(dir, { recursive: true, force: true });
  });

  mkdirSync(join(dir, 'munge'), { mode: 0o700 });
  writeFileSync(join(dir, 'munge/key'), randomBytes(128), { mode: 0o400 });
  writeFileSync(env.SLURM_CONF, configuration(dir, await freePort(), await freePort()));
  const said: string[] = [];
  const start = (program: string, ...args: string[]) => {
    const child = spawn(program, args, { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (text) => said.push(`${program}: ${text}`));
    child.stderr.on('data', (text) => said.push(`${program}: ${text}`));
    children.push(child);
  };
  const at = (name: string) => join(dir, 'munge', name);
  start(
    ...(['munged', '--foreground', '--force', `--key-file=${at('key')}`] as const),
    ...[`--socket=${at('socket')}`, `--pid-file=${at('pid')}`],
    ...[`--log-file=${at('log')}`, `--seed-file=${at('seed')}`],
  );
  const until = Date.now() + START_MS;
  const isAlive = () =>
    children.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  const isThere = async (command: string, args: string[], wanted: RegExp) => {
    while (Date.now() < until && isAlive()) {
      if (wanted.test(await slurm(command, ...args).catch(() => ''))) return true;
      await sleep(100);
    }
    return false;
  };
  const why = (program: string) => `${program} does not run here: ${said.join('').trim().slice(-300)}`;
  if (!(await isThere('munge', ['-n', '-S', at('socket')], /^MUNGE:/))) return why('munged');
  start('slurmctld', '-D', '-c');
  if (!(await isThere('scontrol', ['ping'], /is UP/))) return why('slurmctld');
  start('slurmd', '-D', '-c', '-N', shortName());
  if (!(await isThere('sinfo', ['--noheader', '--format=%T'], /^idle$/))) return why('slurmd');
  return { slurm };
}

const shortName = () => hostname().split('.')[0]!;

/** Without control groups, which a container may not have. */
const configuration = (dir: string, controller: number, node: number) => `
ClusterName=critmap
SlurmctldHost=${shortName()}(127.0.0.1)
SlurmctldPort=${controller}
SlurmdPort=${node}
SlurmUser=${userInfo().username}
AuthType=auth/munge
AuthInfo=socket=${dir}/munge/socket
StateSaveLocation=${dir}/state
SlurmdSpoolDir=${dir}/spool
SlurmctldPidFile=${dir}/slurmctld.pid
SlurmdPidFile=${dir}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
ReturnToService=2
KillWait=5
NodeName=${shortName()} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=5 State=UP
`;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await exit;
  clearTimeout(timer);
}
