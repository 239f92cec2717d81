import t from 'tap';
import { Finished } from '../../src/run/finished.js';
import type { NamedTarget } from '../../src/run/summarise.js';
import { Stopping } from '../../src/sweep/stopping.js';
import { drawSums } from '../run/sums.js';

const IMAGES = 800;
const settings = {
  tolerance: 5,
  simultaneous: true,
  confidence: 0.95,
  design: { imagesPerDraw: 1, trials: 1 },
};
const targetOf = (name: string): NamedTarget => ({
  layer: { name },
  reset: { label: 'random' },
  cells: { length: 1 },
});
const targets = Array.from({ length: 10 }, (_, i) => targetOf(`conv${i}`));

/** All images of every layer, one slice each, whose cosines go up and down. */
const finished = new Finished();
for (const { layer } of targets) {
  const draws = Array.from({ length: IMAGES }, (_, slice) => {
    const cosine = 0.5 + 0.2 * Math.sin(slice);
    return drawSums(slice, {
      images: 1,
      invalid: 0,
      agreement: slice % 2,
      cosine,
      cosineSquares: cosine ** 2,
    });
  });
  finished.add({ type: 'target', layer: layer.name, reset: 'random', chunk: 0, draws });
}
const stopOf = (watched: readonly NamedTarget[], all?: number, more = {}) =>
  Stopping.of({ ...settings, ...more }, watched, IMAGES, finished, all)!.known(watched[0]!)!.slices;

t.test('a layer stops at the same slice in a shard as in the whole sweep', async (t) => {
  const whole = stopOf(targets);
  t.ok(whole! > 20 && whole! < IMAGES, `${whole}`);
  t.equal(stopOf(targets.slice(0, 1), targets.length), whole);
  t.ok(stopOf(targets.slice(0, 1))! < whole!, 'one that is alone has all that may go wrong');
  const each = { simultaneous: false };
  t.equal(stopOf(targets, undefined, each), stopOf(targets.slice(0, 1), targets.length, each));
});

t.test('a finer tolerance takes more slices, and one too fine is not reached', async (t) => {
  t.ok(stopOf(targets, undefined, { tolerance: 4 })! > stopOf(targets)!);
  t.equal(stopOf(targets, undefined, { tolerance: 0.1 }), null);
});
