import t from 'tap';
import { type Machine, usableMemory, usableThreads } from '../src/machine.js';

const GB = 2 ** 30;
const on = (root: string, env: NodeJS.ProcessEnv = {}): Machine => ({
  root,
  env,
  cores: 64,
  memory: 256 * GB,
});

t.test('without limits all cores and all memory are used', async (t) => {
  const machine = on(t.testdir({}));
  t.equal(usableThreads(machine), 64);
  t.equal(usableMemory(machine), 256 * GB);
  t.ok(usableThreads() >= 1 && usableMemory() > 0, 'here');
});

t.test("a job's cores and memory count, and what is no number does not", async (t) => {
  const root = t.testdir({});
  t.equal(usableThreads(on(root, { SLURM_CPUS_PER_TASK: '6' })), 6);
  t.equal(usableThreads(on(root, { SLURM_CPUS_PER_TASK: '600' })), 64);
  for (const wrong of ['', '0', '-3', 'x', '1.5', '1e3', '4 ', '99999999999999999999']) {
    t.equal(usableThreads(on(root, { SLURM_CPUS_PER_TASK: wrong })), 64, wrong);
  }
  t.equal(usableMemory(on(root, { SLURM_MEM_PER_NODE: '8192' })), 8 * GB);
  t.equal(usableMemory(on(root, { SLURM_MEM_PER_CPU: '1024', SLURM_CPUS_PER_TASK: '6' })), 6 * GB);
  t.equal(usableMemory(on(root, { SLURM_MEM_PER_CPU: '1024' })), GB);
});

t.test('the narrowest control group counts, of either version', async (t) => {
  const second = t.testdir({
    proc: { self: { cgroup: '0::/jobs/job-7/step\n' } },
    sys: {
      fs: {
        cgroup: {
          jobs: {
            'cpu.max': 'max 100000\n',
            'memory.max': 'max\n',
            'job-7': {
              'cpu.max': '350000 100000\n',
              'memory.max': `${4 * GB}\n`,
              step: { 'cpu.max': '900000 100000\n', 'memory.max': `${8 * GB}\n` },
            },
          },
        },
      },
    },
  });
  t.equal(usableThreads(on(second)), 4, 'three and a half cores are four threads');
  t.equal(usableThreads(on(second, { SLURM_CPUS_PER_TASK: '2' })), 2);
  t.equal(usableMemory(on(second)), 4 * GB);
});

t.test('control groups of version 1, a container that sees its own group as the root', async (t) => {
  const first = t.testdir({
    proc: { self: { cgroup: '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\nnonsense\n' } },
    sys: {
      fs: {
        cgroup: {
          'cpu,cpuacct': {
            docker: { abc: { 'cpu.cfs_quota_us': '-1\n', 'cpu.cfs_period_us': '100000\n' } },
            'cpu.cfs_quota_us': '50000\n',
            'cpu.cfs_period_us': '100000\n',
          },
          memory: { docker: { abc: { 'memory.limit_in_bytes': '9223372036854771712\n' } } },
        },
      },
    },
  });
  t.equal(usableThreads(on(first)), 1, 'half a core is one thread');
  t.equal(usableMemory(on(first)), 256 * GB);
});
