/** Where a network is divided whose parts share sessions: few sessions, and little that is computed twice. */
import t from 'tap';
import { type Atom, divide, type Segment } from '../../src/plan/division.js';
import { uniforms } from './random-graph.js';

const even = (kind: number): Atom => ({
  kind,
  steps: 4,
  macs: 4,
  starts: [0, 1, 2, 3].map((at) => ({ at, before: at })),
});

const keyOf = (atoms: readonly Atom[], { from, to }: Segment) =>
  atoms
    .slice(from, to)
    .map(({ kind }) => kind)
    .join();

/** Sessions of a division, and what its layers compute before their own starts. */
function assess(atoms: readonly Atom[], segments: readonly Segment[]) {
  const entries = new Map(segments.map((segment) => [keyOf(atoms, segment), segment.entries]));
  let over = 0;
  for (const { from, to, entries } of segments) {
    let [steps, macs] = [0, 0];
    const starts: { at: number; before: number }[] = [];
    for (const atom of atoms.slice(from, to)) {
      for (const { at, before } of atom.starts) starts.push({ at: steps + at, before: macs + before });
      steps += atom.steps;
      macs += atom.macs;
    }
    for (const { at, before } of starts) {
      const entry = entries.find((one) => one.includes(at));
      over += before - (entry ? starts.find((start) => start.at === entry[0])!.before : 0);
    }
  }
  return { sessions: entries.size + [...entries.values()].flat().length, over };
}

t.test(
  'equal blocks are one session, and with a session for each start nothing is computed twice',
  async (t) => {
    const atoms = [9, 1, 1, 1, 1, 8].map(even);
    for (const [sessions, most] of [
      [12, 0],
      [6, 24],
      [3, 36],
    ] as const) {
      const found = assess(atoms, divide(atoms, { sessions, call: 0 }));
      t.ok(found.sessions <= sessions, `${found.sessions} sessions`);
      t.ok(found.over <= most, `${found.over} besides`);
    }
  },
);

t.test('segments are all of a row, in order, and never too many sessions', async (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = uniforms(seed);
    const whole = (most: number) => Math.floor(most * random());
    const kinds = Array.from({ length: 1 + whole(6) }, (_, kind): Atom => {
      const steps = 1 + whole(5);
      const starts = Array.from({ length: steps }, (_, at) => ({ at, before: 3 * at })).filter(
        () => random() < 0.7,
      );
      return { kind, steps, macs: 3 * steps, starts };
    });
    const atoms = Array.from({ length: 1 + whole(20) }, () => kinds[whole(kinds.length)]!);
    const sessions = 1 + whole(8);
    const segments = divide(atoms, { sessions, call: whole(3) });
    t.equal(segments[0]!.from, 0);
    t.equal(segments.at(-1)!.to, atoms.length);
    t.ok(segments.every(({ from, to }, i) => to > from && (i === 0 || segments[i - 1]!.to === from)));
    const found = assess(atoms, segments);
    t.ok(found.sessions <= sessions, `seed ${seed}: ${found.sessions} of ${sessions} sessions`);
    const one = assess(atoms, [{ from: 0, to: atoms.length, entries: [] }]);
    t.ok(found.over <= one.over, 'and no worse than all in one');
  }
});

t.test('calls that cost much leave one segment, whose layers begin at entries', async (t) => {
  const atoms = [1, 2, 3, 4].map(even);
  const segments = divide(atoms, { sessions: 4, call: 1e6 });
  t.equal(segments.length, 1);
  const found = assess(atoms, segments);
  t.equal(found.sessions, 4);
  // Sixteen starts in four groups of four.
  t.equal(found.over, 4 * (0 + 1 + 2 + 3));
});
