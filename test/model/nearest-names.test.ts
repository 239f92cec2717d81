import t from 'tap';
import { distanceToName, nearestNames } from '../../src/model/nearest-names.js';

t.test('without globs it is the number of letters to insert, delete or replace', async (t) => {
  // Levenshtein's own measure; the first two are the textbook examples (Wagner and Fischer, 1974; Knuth).
  t.equal(distanceToName('kitten', 'sitting'), 3);
  t.equal(distanceToName('saturday', 'sunday'), 3);
  t.equal(distanceToName('', 'fc'), 2);
  t.equal(distanceToName('fc', ''), 2);
  t.equal(distanceToName('fc', 'fc'), 0);
});

t.test('* stands for any text and ? for any letter, at no price', async (t) => {
  t.equal(distanceToName('layr*', 'layer1.0.conv1'), 1);
  t.equal(distanceToName('*conw?', 'layer1.0.conv1'), 1);
  t.equal(distanceToName('lay*cnv1', 'layer1.0.conv1'), 1);
  t.equal(distanceToName('*', 'layer1'), 0);
  t.equal(distanceToName('layr*', 'fc'), 4);
});

t.test('parts that a pattern leaves out cost less than a letter', async (t) => {
  t.equal(distanceToName('layer1', 'layer1.0.conv1'), 0.5, 'those behind');
  t.equal(distanceToName('conv1', 'layer1.0.conv1'), 0.5, 'those before');
  t.equal(distanceToName('atn', 'blocks/0/attn/qkv'), 2, 'both sides');
  t.equal(distanceToName('layer', 'layer1.0'), 1.5, 'half of a part is letters');
});

t.test('the nearest names come first, equally near ones in their order', async (t) => {
  const names = ['conv1', 'layer1.0.conv1', 'layer1.0.conv2', 'layer2.0.conv1', 'layer2.0.conv2', 'fc'];
  t.strictSame(nearestNames('layr*', names), ['layer1.0.conv1', 'layer1.0.conv2', 'layer2.0.conv1']);
  t.strictSame(nearestNames('layer2', names), ['layer2.0.conv1', 'layer2.0.conv2', 'layer1.0.conv1']);
  t.strictSame(nearestNames('cov1', names), ['conv1', 'layer1.0.conv1', 'layer2.0.conv1']);
  t.strictSame(nearestNames('layer3.*.conv2', names).slice(0, 2), ['layer1.0.conv2', 'layer2.0.conv2']);
  t.strictSame(nearestNames('fd', ['fc']), ['fc'], 'as many as there are');
});
