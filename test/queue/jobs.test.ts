import t from 'tap';
import { type Costs, jobsOf, type LackingChunk } from '../../src/queue/jobs.js';

const chunks = (count: number, targets: number[], images = 32): LackingChunk[] =>
  Array.from({ length: count }, (_, index) => ({ index, images, targets }));
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** How often each (chunk, target) is in a job. */
function covered(jobs: ReturnType<typeof jobsOf>): Map<string, number> {
  const found = new Map<string, number>();
  for (const { first, last, from, to } of jobs) {
    for (let chunk = from; chunk < to; chunk++) {
      for (let target = first; target < last; target++) {
        const key = `${chunk}/${target}`;
        found.set(key, (found.get(key) ?? 0) + 1);
      }
    }
  }
  return found;
}

t.test('jobs are what is lacking, each layer and chunk once, whatever it costs', async (t) => {
  for (const macs of [1e3, 1e7, 4e9, 1e12]) {
    for (const lacking of [
      chunks(1, range(3)),
      chunks(40, range(54)),
      chunks(7, [0, 1, 5, 6, 20]),
      [
        ...chunks(3, [2, 3]),
        { index: 3, images: 5, targets: [0] },
        { index: 9, images: 32, targets: [1, 3] },
      ],
    ]) {
      const costs: Costs = { forward: macs, targets: range(54).map((i) => macs * (1 - i / 60)) };
      const found = covered(jobsOf(lacking, costs, false));
      const wanted = lacking.flatMap(({ index, targets }) => targets.map((target) => `${index}/${target}`));
      t.strictSame([...found.keys()].sort(), wanted.sort());
      t.ok([...found.values()].every((times) => times === 1));
    }
  }
});

t.test('a chunk that lacks only the untouched model has a job', async (t) => {
  const jobs = jobsOf([{ index: 4, images: 32, targets: [] }], { forward: 1, targets: [1] }, false);
  t.match(jobs, [{ first: 0, last: 0, from: 4, to: 5 }]);
});

t.test('ResNet-50 over 10,000 images comes in jobs of seconds, all layers at once', async (t) => {
  const forward = 4.1e9;
  const costs = { forward, targets: range(54).map((i) => forward * (1 - i / 54)) };
  const jobs = jobsOf(chunks(313, range(54)), costs, false);
  const total = jobs.reduce((sum, { cost }) => sum + cost, 0);
  const without = 313 * 32 * (forward + costs.targets.reduce((sum, one) => sum + one, 0));
  t.ok(total / without < 1.15, 'the untouched model is computed again for little');
  t.ok(Math.max(...jobs.map(({ cost }) => cost)) < 3e12);
  t.ok(jobs.length > 313 && jobs.length < 4000, `${jobs.length}`);
  t.strictSame(
    jobs.map(({ cost }) => cost),
    jobs.map(({ cost }) => cost).toSorted((a, b) => b - a),
    'what takes longest comes first',
  );
});

t.test('few chunks are divided by layers, so that several workers have something to do', async (t) => {
  const costs = { forward: 17e6, targets: range(18).map((i) => 17e6 * (1 - i / 18)) };
  const jobs = jobsOf(chunks(2, range(18), 500), costs, false);
  t.ok(jobs.length >= 4, `${jobs.length}`);
});

t.test('where layers may stop, early images come first', async (t) => {
  const costs = { forward: 4e9, targets: range(54).map(() => 2e9) };
  const jobs = jobsOf(chunks(20, range(54)), costs, true);
  t.strictSame(
    jobs.map(({ from }) => from),
    jobs.map(({ from }) => from).toSorted((a, b) => a - b),
  );
});
