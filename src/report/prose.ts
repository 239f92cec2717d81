/** The sentences of a report: what was measured and how, and what its words mean. Plain text, not HTML. */

import { isRandomLabel } from '../resets/kinds.js';
import type { Summary } from '../run/summary.js';
import { grouped } from './numbers.js';
import { hasDraws, intervalsText, optionText, resetsOf } from './overview.js';
import { restOf, subjectOf } from './subject.js';

/** Definitions shown under "How to read this". */
export const WORDS: readonly (readonly [word: string, meaning: string])[] = [
  [
    'Layer',
    'A convolution or matrix product whose weight was trained, named after its module, in the order of computation.',
  ],
  [
    'Reset',
    'What is done to the parameters of a layer, or of all layers of a group, while all others stay as trained; skip and mean replace what the layer or group gives instead. Normalisation layers are left as they are unless the options say otherwise.',
  ],
  [
    'Draw',
    'One independent set of random weights. How far draws lie apart is the luck of the draw; usually that is more than what lies between images.',
  ],
  [
    'Criticality',
    '100 × (1 − mean cosine similarity of the softmax probabilities before and after the reset), in percent. 0: the predictions did not move. 100: they have nothing in common.',
  ],
  [
    'Mean criticality',
    'The mean over all layers, or groups, under one reset: how much of the model its predictions depend on.',
  ],
  [
    'Interval',
    'Holds the mean over all draws and images that there could be, with the confidence given; over images alone of a reset that draws nothing. It is not where the mean of a repeated sweep would lie: that varies as much again.',
  ],
  ['Agreement', 'Share of images whose most likely class did not change, in percent.'],
  ['L1, L2', 'Distances between the two probability vectors, mean over images.'],
  [
    'KL, JS',
    'Kullback–Leibler divergence of the reset model’s probabilities from the original’s, in nats, and Jensen–Shannon divergence (base 2, 0 to 1), mean over images.',
  ],
  ['Top-1, top-5, loss', 'Accuracy and cross-entropy against the labels, after the reset.'],
  [
    'Change',
    'How far the reset moved the weights, ‖W′ − W‖ / ‖W‖; with skip and mean, what the layer gives.',
  ],
  [
    'Invalid',
    'Outputs with a NaN or infinite value. They count as disagreement and are left out of the other means.',
  ],
];

/** What a kind of reset does, as the end of "each layer was reset on its own: …". With `--parts bias` it does so to biases. */
export function resetSentence(reset: string, init: string | undefined, parts?: string): string {
  const sentence = changeSentence(reset, init);
  return parts === 'bias'
    ? sentence.replace(/^((?:noise was added to )?its (?:own |smallest )?)weights/, '$1biases')
    : sentence;
}

function changeSentence(reset: string, init: string | undefined): string {
  const [kind = '', ...rest] = reset.split('=');
  const argument = rest.join('=');
  switch (kind) {
    case 'random':
      return `its weights were replaced by freshly drawn random ones${init === undefined ? '' : ` (initialisation: ${init})`}`;
    case 'zero':
      return 'its weights were set to zero';
    case 'constant':
      return `its weights were all set to ${argument}`;
    case 'shuffle':
      return 'its own weights were shuffled';
    case 'donor':
      return `its weights were replaced by those of ${argument}`;
    case 'interpolate':
      return `its weights were mixed with those of another checkpoint${isRandomLabel(reset, '') ? ', and noise was added' : ''} (${argument})`;
    case 'noise':
      return `noise was added to its weights (σ = ${argument})`;
    case 'quantize':
      return `its weights were rounded to ${argument}, with a scale per output channel`;
    case 'prune':
      return `its smallest weights were set to zero, a part of ${argument} of them`;
    case 'prune-channels':
      return `its smallest output channels were set to zero, a part of ${argument} of them`;
    case 'skip':
      return 'what it gives was replaced by what goes into it, or by the shortcut around it';
    case 'mean':
      return 'what it gives was replaced by its mean per channel';
    case 'lowrank':
      return `its weights were replaced by the nearest matrix of a lower rank, a part of ${argument} of the full one`;
    default:
      return `its weights were changed (${reset})`;
  }
}

/** One paragraph for a reader who has never heard of criticality. */
export function explanation(summary: Summary): string {
  const { model, data } = summary;
  const seed = optionText(summary, 'seed');
  const covers = intervalsText(summary);
  const resets = resetsOf(summary).map((reset) =>
    resetSentence(reset, optionText(summary, 'init'), optionText(summary, 'parts')),
  );
  const subject = subjectOf([summary]);
  const sentences = [
    `This report shows which layers ${model.name} uses.`,
    `${subject[0]!.toUpperCase()}${subject.slice(1)}: ${resets.join(', or ')}; ${restOf([summary])}.`,
    `The changed model then classified ${grouped(data.images)} ${data.images === 1 ? 'image' : 'images'} from ${data.source}, and its predictions were compared with those of the untouched model.`,
    `${designSentence(summary)}${seed === undefined ? '' : ` (seed ${seed})`}${covers === undefined ? '' : `; given with ${covers}`}.`,
    'A layer is critical if the predictions move far when it is reset; a layer that can be reset with little effect is hardly used.',
  ];
  return sentences.join(' ');
}

function designSentence({ options, layers }: Summary): string {
  const drawn = layers.filter(hasDraws);
  const draws = drawn.reduce((most, layer) => Math.max(most, layer.draws), 0);
  const where = drawn.length < layers.length ? ' where a reset draws' : '';
  const { imagesPerDraw } = options;
  if (draws > 1 && typeof imagesPerDraw === 'number') {
    const each =
      imagesPerDraw === 1
        ? 'image had a draw of its own'
        : `${grouped(imagesPerDraw)} images had a draw of their own`;
    return `Every ${each}, ${grouped(draws)} at most for a layer${where}; values are means over draws and images`;
  }
  return draws > 1
    ? `This was done with ${draws} independent draws${where}, each of which saw all images; values are means over images and draws`
    : 'Values are means over images';
}
