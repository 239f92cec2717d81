#!/usr/bin/env node
/**
 * Chatterji's module criticality of the nine models in methods/, beside their accuracy: the table in docs/measures.md.
 *
 *     node examples/fashion/module_criticality.mjs [IMAGES] [OUT]
 *
 * The initial weights are those that train_methods.py began with (methods/initial.safetensors). IMAGES (default 500) of
 * images.npz; OUT is a folder for the runs, which go on where they were stopped.
 */
import { join } from 'node:path';
import { loadModel, modelInput, moduleCriticality, openImages } from '../../dist/index.js';
import { correlationInterval, pearson, spearman } from '../../dist/statistics/correlation.js';

const [count = '500', out = 'module-criticality'] = process.argv.slice(2);
const here = (name) => join(import.meta.dirname, name);
/** Right of 10,000 held-out images, in percent, as README.md has it; of these, images.npz has 1,000. */
const accuracies = {
  ...{ baseline: 92.71, recipe: 93.55, augmentation: 90.95 },
  ...{ 'adversarial-4': 89.69, 'adversarial-10': 88.73, 'adversarial-25': 85.68 },
  ...{ contrastive: 82.83, rotation: 79.75, random: 51.74 },
};
const network = here('methods/network.onnx');
const withWeights = (name) =>
  loadModel(network, { name, weights: [here(`methods/${name}.safetensors`)] });
const donor = await withWeights('initial');

const rows = [];
for (const [name, accuracy] of Object.entries(accuracies)) {
  const model = await withWeights(name);
  const images = await openImages(here('images.npz'), {
    ...modelInput(model),
    images: Number(count),
  });
  const result = await moduleCriticality(model, images, { donor, out: join(out, name) });
  await images.close();
  // A module without a value fits nowhere, and is the most critical.
  const highest = result.modules.reduce((a, b) => ((b.value ?? Infinity) > (a.value ?? Infinity) ? b : a));
  rows.push({ name, sum: result.sum, accuracy, highest: highest.module });
  console.error(`${name}: ${result.sum}`);
}

console.log('| model | network criticality | accuracy, % | most critical module |\n| --- | ---: | ---: | --- |');
for (const { name, sum, accuracy, highest } of rows.sort((a, b) => (a.sum ?? 0) - (b.sum ?? 0))) {
  console.log(`| ${name} | ${sum?.toPrecision(4) ?? 'none'} | ${accuracy.toFixed(2)} | ${highest} |`);
}
const say = (what, of) => {
  const known = of.filter(({ sum }) => sum !== null);
  const [x, y] = [known.map(({ sum }) => sum), known.map(({ accuracy }) => accuracy)];
  for (const [word, kind, found] of [
    ["Spearman's rho", 'spearman', spearman(x, y)],
    ["Pearson's r of the logarithm", 'pearson', pearson(x.map((sum) => Math.log10(1 + sum)), y)],
  ]) {
    const interval = found && correlationInterval(kind, found.coefficient, known.length);
    console.log(
      `\n${what}, ${known.length} models: ${word} ${found?.coefficient.toFixed(2)} (95 % interval ${interval?.map((v) => v.toFixed(2)).join(' to ')}, p ${found?.p?.toFixed(3)})`,
    );
  }
};
say('All', rows);
say('Without random features', rows.filter(({ name }) => name !== 'random'));
