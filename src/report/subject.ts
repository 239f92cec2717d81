/** What was reset, in words: layers, groups and how they were formed, and what went along or stayed. Plain text. */
import type { LayerSummary, Summary } from '../run/summary.js';
import { spanOf } from './numbers.js';
import { optionText } from './overview.js';

/** How groups were formed, by what `--group` says; other values are regular expressions. */
const FORMED = new Map([
  ['block', 'the layers of a block'],
  ['stage', 'the layers of a stage'],
  ['all', 'all layers'],
  ['pairs', 'every two layers'],
  ['cumulative-from-output', 'all layers from the output back to one'],
  ['cumulative-from-input', 'all layers from the input up to one'],
]);

/** A layer that its norm goes with has members too. */
const isGroup = ({ layer, members }: LayerSummary) => members !== undefined && !members.includes(layer);

const distinct = (values: readonly (string | undefined)[]) => [...new Set(values)];

/** How many groups and how many layers by themselves the rows of each are, in words; counts differ between runs. */
export function countsOf(rows: readonly (readonly LayerSummary[])[]): { groups: string; alone: string } {
  const count = (wanted: boolean) =>
    spanOf(
      rows.map(
        (layers) => new Set(layers.filter((one) => isGroup(one) === wanted).map(({ layer }) => layer)).size,
      ),
    );
  return { groups: count(true), alone: count(false) };
}

/** What one row of a report is of, in the singular. */
export function unitOf(summaries: readonly Summary[]): 'layer' | 'group' | 'layer or group' {
  const { groups, alone } = countsOf(summaries.map(({ layers }) => layers));
  if (groups === '0') return 'layer';
  return alone === '0' ? 'group' : 'layer or group';
}

/** `each of 54 layers was reset on its own`, or of groups how they were formed. */
export function subjectOf(summaries: readonly Summary[]): string {
  const { groups, alone } = countsOf(summaries.map(({ layers }) => layers));
  const each = alone === '1' ? 'one layer' : `each of ${alone} layers`;
  if (groups === '0') return `${each} was reset on its own`;
  const formed = distinct(summaries.map((summary) => optionText(summary, 'group'))).flatMap((group) =>
    group === undefined || group === 'layer'
      ? []
      : (FORMED.get(group) ?? `layers in whose names the expression ${group} matches the same`),
  );
  const how = formed.length > 0 ? ` (${formed.join('; or ')})` : '';
  const together = `${groups === '1' ? 'one group' : `each of ${groups} groups`} of layers${how} was reset together`;
  return alone === '0' ? together : `${together}, and ${each} on its own`;
}

/** Norms that are reset with the layer before them, by `--norm`. */
const NORMS = {
  reset: 'the BatchNorm behind a convolution, which was put to its initial state with it',
  'with-layer': 'the norm right behind a layer, which was reset with it in the same way',
};

/** What stayed as trained, `all other parameters stayed as trained, but for ...`. */
export function restOf(summaries: readonly Summary[]): string {
  const values = (name: string) => distinct(summaries.map((summary) => optionText(summary, name)));
  const parts = values('parts');
  const norms = values('norm');
  const kept = [
    ...(parts.includes('weight') ? ['biases'] : []),
    ...(parts.includes('bias') ? ['weights'] : []),
  ].map((part) => `, ${part} of the same layers among them${parts.length > 1 ? ' in some runs' : ''},`);
  const moved = (['reset', 'with-layer'] as const)
    .filter((norm) => norms.includes(norm))
    .map((norm) => `, but for ${NORMS[norm]}${norms.length > 1 ? ' in some runs' : ''}`);
  return `all other parameters${kept.join('')} stayed as trained${moved.join('')}`;
}
