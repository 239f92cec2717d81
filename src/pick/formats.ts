/**
 * Picked layers in the words of other tools. Names go into expressions and Python strings escaped: what is made matches
 * these layers and no other, whatever a model file calls its layers. Pure.
 */
import { CritmapError, quoted, UNPRINTABLE } from '../errors.js';
import type { LayerPick } from './pick.js';

export const pickFormats = ['json', 'regex', 'torch', 'nncf', 'modelopt'] as const;
/** In whose words layers are listed. */
export type PickFormat = (typeof pickFormats)[number];

/**
 * - `json`: all that is known of the pick
 * - `regex`: one anchored expression, the same in JavaScript and Python
 * - `torch`: Python that freezes these modules' own parameters
 * - `nncf`: an `IgnoredScope` for NNCF's graphs of PyTorch models, whose nodes are called `layer1/0/conv1/conv2d/0`
 * - `modelopt`: entries of NVIDIA ModelOpt's `quant_cfg` that leave these modules as they are
 *
 * @returns lines, each with its \n
 * @throws TypeError for what is no pick; CritmapError (ERR_OPTION) for an unknown format, or for parts of a module in words
 *   that name whole modules
 */
export function pickText(pick: LayerPick, format: PickFormat): string {
  if (!Array.isArray(pick?.layers))
    throw new TypeError('pickText takes what pickLayers returns and a format');
  const names = pick.layers.flatMap(({ layer, members }) => (members ?? [layer]).map(String));
  switch (format) {
    case 'json':
      return `${escapedJson(JSON.stringify({ names, ...pick }, null, 1))}\n`;
    case 'regex':
      return `${anyOf(names)}\n`;
    case 'torch':
      return torch(modulesOf(names, pick, format), headOf(pick));
    case 'nncf':
      return nncf(modulesOf(names, pick, format), headOf(pick));
    case 'modelopt':
      return modelOpt(modulesOf(names, pick, format), headOf(pick));
    default:
      throw new CritmapError(
        'ERR_OPTION',
        `${quoted(String(format))} is no format; there are ${pickFormats.join(', ')}`,
      );
  }
}

/** Where queries, keys and values were layers of their own: all three together are their module. */
function modulesOf(names: readonly string[], { splitQkv }: LayerPick, format: PickFormat): string[] {
  if (!splitQkv) return [...names];
  const picked = new Set(names);
  const modules = names.map((name) => {
    const whole = name.match(/^(.+)\.[qkv]$/)?.[1];
    if (whole === undefined) return name;
    const missing = ['q', 'k', 'v'].filter((part) => !picked.has(`${whole}.${part}`));
    if (missing.length === 0) return whole;
    throw new CritmapError(
      'ERR_OPTION',
      `${quoted(name)} is picked and ${missing.map((part) => quoted(`${whole}.${part}`)).join(' and ')} is not, but ${format} names modules, not parts of one; take --format json or regex, or sweep without --split-qkv`,
    );
  });
  return [...new Set(modules)];
}

/** What the list is of, so that whoever finds it pasted somewhere knows. */
function headOf({
  model,
  metric,
  reset,
  below,
  above,
  confidence,
  layers,
  groups,
  swept,
}: LayerPick): string {
  const side = above === null ? `below ${below}` : `above ${above}`;
  const sure = confidence === null ? '' : `, ${Number((100 * confidence).toFixed(4))} % intervals`;
  const rows = groups ? 'groups of layers' : 'layers';
  const text = `${layers.length} of ${swept} ${rows} of ${model}: ${metric} ${side} % (reset ${reset}${sure})`;
  return `# ${text.replace(UNPRINTABLE, '\uFFFD')}`;
}

const torch = (names: readonly string[], head: string) => `${head}
picked = ${pythonList(names)}
for name in picked:
    for parameter in model.get_submodule(name).parameters(recurse=False):
        parameter.requires_grad = False
`;

const nncf = (names: readonly string[], head: string) => `${head}
picked = nncf.IgnoredScope(patterns=${pythonList(names.map(nncfPattern))})
`;

/** Entries are applied in order, so that appended ones count more. Names are matched by Python's fnmatch. */
const modelOpt = (names: readonly string[], head: string) => `${head}
picked = [
    {"quantizer_name": f"{name}.{part}_quantizer", "enable": False}
    for name in ${pythonList(names.map(forFnmatch), '    ')}
    for part in ("input", "weight", "output")
]
config["quant_cfg"] += picked  # before ModelOpt 0.44: .update({one["quantizer_name"]: {"enable": False} for one in picked})
`;

/** Every node of a module itself, not of modules in it. */
const nncfPattern = (name: string) => `^${forRegex(name.split('.').join('/'))}/[^/]+/[0-9]+$`;

const anyOf = (names: readonly string[]) =>
  // Nothing matches an empty look-ahead that must fail.
  names.length === 0 ? '(?!)' : `^(?:${names.map(forRegex).join('|')})$`;

const forRegex = (name: string) => codes(name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));

const forFnmatch = (name: string) => name.replace(/[*?[]/g, '[$&]');

/** What could steer a terminal or end a line, by its number. */
const codes = (text: string) =>
  text.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, i) => code(character.charCodeAt(i))).join(''),
  );
const code = (unit: number) => `\\u${unit.toString(16).padStart(4, '0')}`;

const escapedJson = (text: string) =>
  text.replace(UNPRINTABLE, (character) => (character === '\n' ? character : codes(character)));

const pythonList = (items: readonly string[], indent = '') =>
  items.length === 0
    ? '[]'
    : `[\n${items.map((item) => `${indent}    ${pythonString(item)},\n`).join('')}${indent}]`;

/** A character beyond the first 65,536 is one in Python. */
const pythonString = (text: string) =>
  `"${text
    .replace(/[\\"]/g, '\\$&')
    .replace(UNPRINTABLE, (character) =>
      character.length === 1
        ? code(character.charCodeAt(0))
        : `\\U${character.codePointAt(0)!.toString(16).padStart(8, '0')}`,
    )}"`;
