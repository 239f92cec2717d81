/** What `critmap inspect` says of a model. */

import { type LayerChoice, withoutParts } from '../design/groups.js';
import { CritmapError, some } from '../errors.js';
import { initialsOf, initWarnings } from '../initialisation/initials.js';
import { recognise } from '../initialisation/recognise.js';
import { modelInput } from '../model/input.js';
import { type LayerParts, membersOf, parametersIn, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { TargetChoice } from '../model/target-choice.js';
import { withTargets } from '../model/targets.js';
import { isCardName, type Precision } from '../native/cards.js';
import type { Layer } from '../onnx/layers.js';
import { type ModelChoice, openModel } from '../request/open-model.js';
import type { ResetContext } from '../resets/kinds.js';
import { parseResets } from '../resets/parse.js';
import { largest } from '../statistics/extremes.js';
import { refuseWithActivations } from '../sweep/settings.js';
import { chooseTargets, type Targets } from '../sweep/targets.js';
import { type CardPlanSummary, cardPlanText, summariseCardPlan } from './inspect-card-plan.js';
import { count, type PlanSummary, planText, summarisePlan } from './inspect-plan.js';
import type { ProgressLine } from './progress.js';
import { json, print, shown } from './terminal.js';
import { weightsText } from './weights-options.js';

type InspectModel = ModelChoice &
  LayerChoice &
  TargetChoice &
  Pick<ResetContext, 'parts'> & {
    reset?: readonly string[] | undefined;
    /** What the plan is for. */
    device?: string | undefined;
    deviceMemory?: string | undefined;
    batch?: number | undefined;
    precision?: Precision | undefined;
    /** Nothing of the model but its plan. */
    planOnly?: boolean | undefined;
  };

/** @throws CritmapError as {@link openModel} */
export async function inspectModel(
  choice: InspectModel & { json: boolean },
  line: ProgressLine,
): Promise<void> {
  const given = await openModel(choice, { onFetch: (progress) => line.fetched(progress) }).finally(() =>
    line.clear(),
  );
  const { facts, text } = await modelReport(given, choice);
  print(choice.json ? json(facts, 1) : text);
}

/** What there is to say of a model, as plain JSON and as lines for people. */
export async function modelReport(
  given: Model,
  choice: InspectModel,
): Promise<{ facts: object; text: string }> {
  const targeted = withTargets(given, choice);
  const { layers, exclude, group, reset, norm, parts } = choice;
  const isChosen = [layers, exclude, group, reset, norm, parts].some((one) => one !== undefined);
  const resets = await parseResets(reset ?? ['random'], targeted, {
    input: choice.input,
    output: choice.output,
  });
  refuseWithActivations(choice, resets);
  const targets = await chooseTargets(targeted, modelInput(targeted).shape, {
    ...{ layers, exclude, group, norm, parts, resets, design: { trials: 1 } },
  });
  const idle = withoutParts(targeted.layers, choice);
  const model = { ...targeted, warnings: [...targeted.warnings, ...idleText(targeted, idle)] };
  const { device = 'auto', batch, planOnly = false } = choice;
  const isCard = planIsOfCard(choice);
  const plan = isCard
    ? await summariseCardPlan(targeted, targets, { ...choice, device })
    : await summarisePlan(targeted, targets, { batch, norm, parts });
  if (planOnly) {
    const { name } = targeted;
    return { facts: { name, plan }, text: `${planLines(shown(plan), isChosen).join('\n')}\n` };
  }
  const groups = isChosen ? groupsOf(targets.layers, plan, parts) : null;
  const { leftOut } = targets;
  return {
    facts: { ...describe(model), leftOut, ...(groups && { groups }), plan },
    text: textOf(model, shown(plan), groups && shown(groups), shown(leftOut)),
  };
}

type AnyPlan = PlanSummary | CardPlanSummary;

const planLines = (plan: AnyPlan, isGrouped: boolean): string[] => {
  const what = isGrouped ? 'group' : 'layer';
  return 'device' in plan ? cardPlanText(plan, what) : planText(plan, what);
};

/** @throws CritmapError (ERR_OPTION) for a word that is no device, and for options of cards without one */
function planIsOfCard({ device = 'auto', deviceMemory, precision = 'fp32' }: InspectModel): boolean {
  if (isCardName(device)) return true;
  const [option] = [
    ...(deviceMemory === undefined ? [] : ['--device-memory']),
    ...(precision === 'fp32' ? [] : [`--precision ${precision}`]),
  ];
  if (option === undefined) return false;
  throw new CritmapError('ERR_OPTION', `${option} is for cards; leave it out, or give --device cuda`);
}

function idleText({ file }: Model, idle: readonly { name: string; why: string }[]): string[] {
  const names = idle.map(({ name }) => name);
  return idle.length === 0
    ? []
    : [`${file.path}: ${idle.length} layer(s) are left out (${some(names, 3)}): ${idle[0]!.why}`];
}

interface Chosen {
  name: string;
  layers: string[];
  parameters: number;
  /** Multiply-accumulates of one image with these reset; null where the fast engine cannot sweep the model. */
  macs: number | null;
}

/** What a sweep would reset, one by one: layers, or layers together. */
const groupsOf = (chosen: readonly Resettable[], plan: AnyPlan, parts?: LayerParts): Chosen[] =>
  chosen.map((one, i) => ({
    name: one.name,
    layers: membersOf(one).map(({ name }) => name),
    parameters: parametersIn(one, parts),
    macs: plan.error === null ? plan.macs.each[i]! : null,
  }));

/** Everything `inspect` knows, as plain JSON. */
export function describe(model: Model) {
  const { name, file, io, layers, sha256, weights } = model;
  const { normalization } = modelInput(model);
  const initials = initialsOf(model, 'auto');
  return {
    name,
    path: file.path,
    sha256,
    producer: [file.proto.producerName, file.proto.producerVersion].filter(Boolean).join(' '),
    opset: Number(file.proto.opsetImport.find(({ domain }) => !domain)?.version ?? 0),
    input: {
      name: io.input,
      batch: io.batch,
      channels: io.channels,
      height: io.height,
      width: io.width,
      channelsLast: file.ends?.channelsLast ?? false,
      mean: normalization?.mean ?? null,
      std: normalization?.std ?? null,
    },
    // What is compared may be before it, or of critmap's making.
    output: {
      name: file.ends?.chosen ?? io.output,
      classes: io.classes,
      compared: file.ends?.softmaxOf ?? (file.ends?.logOf && io.output) ?? file.ends?.single ?? io.output,
    },
    /** Whose initialisation its layers have; null when that is a guess. */
    family: recognise(model).family ?? null,
    parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
    /** Where all trained numbers are, in percent of them. */
    account: accountIn(model),
    ...(weights && { weights }),
    warnings: [...model.warnings, ...initWarnings(model, 'auto')],
    leftOut: model.leftOut,
    layers: layers.map((layer) => ({
      name: layer.name,
      op: layer.op,
      shape: layer.weight.shape,
      parameters: layer.parameters,
      bias: layer.bias !== null,
      norm: layer.norm !== null,
      groups: layer.groups,
      fanIn: layer.fanIn,
      fanOut: layer.fanOut,
      uses: layer.uses,
      /** Weight and bias are all zero: a reset to zero changes nothing. */
      zero: isZero(model, layer),
      init: initials.get(layer.name)!.words,
      initGuessed: initials.get(layer.name)!.guessed,
      weight: layer.weight.tensor,
    })),
  };
}

function accountIn(model: Model) {
  const { total, layers, norms, elsewhere } = model.account();
  const share = (elements: number) => ({ parameters: elements, percent: (100 * elements) / total });
  return {
    total,
    layers: share(layers),
    norms: share(norms),
    elsewhere: elsewhere.map(({ tensor, elements, why }) => ({ tensor, ...share(elements), why })),
  };
}

/** Tensors outside of layers and norms that are named one by one. */
const NAMED = 5;

function accountText({ total, layers, norms, elsewhere }: ReturnType<typeof accountIn>): string[] {
  const of = ({ parameters, percent }: { parameters: number; percent: number }) =>
    `${parameters.toLocaleString('en')} (${percent.toFixed(1)} %)`;
  const rest = elsewhere.reduce((sum, { parameters }) => sum + parameters, 0);
  const largest = [...elsewhere].sort((a, b) => b.parameters - a.parameters);
  const more = largest.length - NAMED;
  return [
    `trained ${total.toLocaleString('en')} parameters: ${of(layers)} in layers, ${of(norms)} in norms, ${of({ parameters: rest, percent: (100 * rest) / total })} elsewhere`,
    ...largest.slice(0, NAMED).map((one) => `        ${one.tensor}: ${of(one)}; ${one.why}`),
    ...(more > 0 ? [`        and ${more} more; inspect --json lists them all`] : []),
  ];
}

function textOf(
  model: Model,
  plan: AnyPlan,
  groups: readonly Chosen[] | null,
  leftOut: Targets['leftOut'],
): string {
  const about = shown(describe(model));
  const { input, output } = about;
  const any = (size: number | null) => size ?? 'any';
  const rows = about.layers.map((layer) => [
    layer.name,
    layer.op,
    layer.shape.join('x'),
    layer.parameters.toLocaleString('en'),
    `${layer.init}${layer.initGuessed ? ' ?' : ''}`,
    [
      layer.bias && 'bias',
      layer.norm && 'BatchNorm',
      layer.groups > 1 && `${layer.groups} groups`,
      layer.uses > 1 && `used in ${layer.uses} places, reset together`,
      layer.zero && 'all zero already',
    ]
      .filter(Boolean)
      .join(', '),
  ]);
  const lines = aligned([['layer', 'op', 'shape', 'parameters', 'init', ''], ...rows], 3);
  return [
    `${about.name}  opset ${about.opset}${about.producer ? `, made by ${about.producer}` : ''}`,
    `input   ${input.name}: ${any(input.batch)} x ${input.channels} x ${any(input.height)} x ${any(input.width)}` +
      (input.channelsLast ? ", transposed from the file's channels last" : '') +
      (input.mean ? `, mean ${input.mean.join(',')}, std ${input.std?.join(',')}` : ''),
    `output  ${output.name}: ${output.classes ?? 'any number of'} classes${model.file.ends?.single === undefined ? '' : ', of one number'}${output.compared === output.name ? '' : `, compared by ${output.compared}`}`,
    `layers  ${about.layers.length}, with ${about.parameters.toLocaleString('en')} parameters`,
    ...accountText(about.account),
    `starts  ${about.family ? `as ${about.family}` : 'as none of the families that are known: init is a guess where it has a ?'}`,
    '',
    ...lines,
    '',
    ...(model.weights ? [...weightsText(shown(model.weights)), ''] : []),
    ...(groups ? [...groupsText(groups), ''] : []),
    ...untestedText(leftOut),
    ...planLines(plan, groups !== null),
    ...about.warnings.map((warning) => `\nwarning: ${warning}`),
    '',
  ].join('\n');
}

const isZero = (model: Model, { weight, bias }: Layer) =>
  [weight, ...(bias ? [bias] : [])].every(({ tensor }) => model.values(tensor).every((value) => value === 0));

/** Rows in columns, the one with numbers to the right. */
function aligned(table: readonly (readonly string[])[], numbers: number): string[] {
  const columns = (table[0] ?? []).slice(0, -1).map((_, column) => column);
  const widths = columns.map((column) => largest(table.map((row) => (row[column] ?? '').length)));
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === numbers ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Layers and groups that cannot be tested under a reset; of what is no layer the model's warnings tell. */
function untestedText(leftOut: Targets['leftOut']): string[] {
  const rows = leftOut.flatMap(({ name, why, reset }) => (reset === undefined ? [] : [[name, reset, why]]));
  return rows.length > 0 ? [...aligned([['cannot be tested', 'reset', ''], ...rows], -1), ''] : [];
}

/** What is reset, one by one, with what an image costs each time. */
function groupsText(groups: readonly Chosen[]): string[] {
  const rows = groups.map(({ name, layers, parameters, macs }) => [
    name,
    parameters.toLocaleString('en'),
    macs === null ? '' : `${count(macs)} MACs`,
    layers.length > 1 ? `${layers.length} layers: ${layers[0]} to ${layers.at(-1)}` : '',
  ]);
  return aligned([['reset together', 'parameters', 'an image', ''], ...rows], 1);
}
