import t from 'tap';
import { chooseCuts } from '../../src/plan/cuts.js';
import type { Dataflow, Step } from '../../src/plan/dataflow.js';

t.test('the cuts of a chain of 100,000 nodes are found in seconds', async (t) => {
  const count = 100_000;
  const layerStarts = [10, 50_000, 99_990];
  const steps = Array.from({ length: count }, (_, i) => ({
    node: { opType: layerStarts.includes(i) ? 'Conv' : 'Transpose' },
    dynamic: true,
    reads: [i === 0 ? 'input' : `t${i - 1}`],
    makes: [`t${i}`],
  })) as unknown as Step[];
  const flow: Dataflow = {
    input: 'input',
    steps,
    maker: new Map(steps.map((_, i) => [`t${i}`, i])),
    readers: new Map(steps.map(({ reads }, i) => [reads[0]!, [i]])),
  };
  const start = process.cpuUsage();
  const cuts = chooseCuts({
    flow,
    output: `t${count - 1}`,
    // The chain is narrowest at one place between two layers.
    bytesOf: (name) => (name === 't29999' ? 10 : 1000),
    weightBytes: steps.map((_, i) => (layerStarts.includes(i) ? 1e6 : 0)),
    optimised: false,
    layerStarts,
    budget: 0,
    keep: 1e9,
  });
  const { user } = process.cpuUsage(start);
  t.ok(user < 10e6, `${user / 1e6} s`);
  t.equal(cuts[0]?.before, 0);
  t.equal(cuts.at(-1)?.before, count);
  t.ok(
    cuts.some(({ before }) => before === 30_000),
    'where least is live',
  );
});
