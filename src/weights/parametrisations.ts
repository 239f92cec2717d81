/**
 * Weights that are stored as what they are computed from: PyTorch's weight_norm and spectral_norm, as hooks (`weight_g`,
 * `weight_v`, `weight_orig`) and as parametrisations (`parametrizations.weight.original0`). Where the rule is known, a
 * table has the weight in their place, which is computed when it is read, as a model in evaluation does.
 */
import type { Table } from './checkpoint-file.js';
import { derivedTensor } from './derived-tensor.js';
import { readFloats, type StoredTensor } from './stored-tensor.js';

/** The roles of the stored tensors by what stands after the module's name. */
interface Form {
  readonly rule: 'weight_norm' | 'spectral_norm';
  /** As a parametrisation, in place of a hook. */
  readonly isParametrisation: boolean;
  /** Endings of all roles; the first finds the parameter. */
  readonly roles: readonly string[];
}

const forms: readonly Form[] = [
  { rule: 'weight_norm', isParametrisation: false, roles: ['_g', '_v'] },
  { rule: 'spectral_norm', isParametrisation: false, roles: ['_orig', '_u', '_v'] },
  { rule: 'weight_norm', isParametrisation: true, roles: ['.original0', '.original1'] },
  { rule: 'spectral_norm', isParametrisation: true, roles: ['.original', '.0._u', '.0._v'] },
];

const PARAMETRISED = 'parametrizations.';

/** Names that are longer are no parameter's. */
const LONGEST_NAME = 512;

/** The table with weights in place of what they are computed from. */
export function withWeightsOf(table: Table): Table {
  const found = [...table.tensors].flatMap(([name]) => {
    if (name.length > LONGEST_NAME) return [];
    const made = forms.flatMap((form) => weightOf(table, name, form) ?? []);
    return made.slice(0, 1);
  });
  if (found.length === 0) return table;
  const gone = new Set(found.flatMap(({ parts }) => parts));
  const tensors = new Map([...table.tensors].filter(([name]) => !gone.has(name)));
  const original = new Map(table.original);
  for (const { name, parts, tensor } of found) {
    tensors.set(name, tensor);
    original.set(name, parts.slice(0, 2).join(' and '));
  }
  return { path: table.path, tensors, original };
}

/** Parameters of the table that are stored parametrised in a way that is not known. */
export function unknownParametrisations({ tensors }: Table): string[] {
  const found = [...tensors.keys()].flatMap((name) => {
    const at = name.length > LONGEST_NAME ? -1 : name.indexOf(PARAMETRISED);
    const [parameter = ''] = name.slice(at + PARAMETRISED.length).split('.');
    return at < 0 ? [] : [name.slice(0, at) + parameter];
  });
  return [...new Set(found)];
}

interface Weight {
  readonly name: string;
  readonly parts: readonly string[];
  readonly tensor: StoredTensor;
}

function weightOf({ tensors }: Table, name: string, form: Form): Weight | undefined {
  const { rule, isParametrisation, roles } = form;
  if (!name.endsWith(roles[0]!)) return undefined;
  const base = name.slice(0, -roles[0]!.length);
  const parameter = base.slice(base.lastIndexOf('.') + 1);
  const before = base.slice(0, base.length - parameter.length);
  if (isParametrisation && !before.endsWith(PARAMETRISED)) return undefined;
  const module = isParametrisation ? before.slice(0, -PARAMETRISED.length) : before;
  if (tensors.has(module + parameter)) return undefined;
  const parts = roles.map((role) => base + role);
  const stored = parts.flatMap((part) => tensors.get(part) ?? []);
  if (stored.length < parts.length || !stored.every(({ type }) => type.readable)) return undefined;
  // What follows in the same list of parametrisations is applied to this one's result.
  if (
    isParametrisation &&
    [...tensors.keys()].some((one) => one.startsWith(`${base}.`) && !parts.includes(one))
  ) {
    return undefined;
  }
  const tensor = rule === 'weight_norm' ? weightNorm(stored) : spectralNorm(stored);
  return tensor && { name: module + parameter, parts, tensor };
}

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** g v / |v|, with a norm for each index of the one dimension that g has, or one for all. */
function weightNorm([g, v]: readonly StoredTensor[]): StoredTensor | undefined {
  if (!g || !v) return undefined;
  const kept = g.shape.findIndex((size) => size > 1);
  const isOne = count(g.shape) === 1;
  // A dimension of size 1 that was kept has one norm too.
  if (
    !isOne &&
    (g.shape.length !== v.shape.length || g.shape[kept] !== v.shape[kept] || count(g.shape) !== v.shape[kept])
  ) {
    return undefined;
  }
  return derivedTensor('weight_norm', v.shape, async () => {
    const [scales, values] = [await readFloats(g), await readFloats(v)];
    const inner = isOne ? values.length : count(v.shape.slice(kept + 1));
    const channelOf = (i: number) => (isOne ? 0 : Math.floor(i / inner) % scales.length);
    const squares = new Float64Array(scales.length);
    for (const [i, value] of values.entries()) squares[channelOf(i)]! += value * value;
    return values.map((value, i) => (scales[channelOf(i)]! * value) / Math.sqrt(squares[channelOf(i)]!));
  });
}

/** W / (u W v), of W as a matrix with the rows that u has: output channels are first, or second in a transposed convolution. */
function spectralNorm([w, u, v]: readonly StoredTensor[]): StoredTensor | undefined {
  if (!w || !u || !v) return undefined;
  const [rows, columns] = [count(u.shape), count(v.shape)];
  const dimensions = [0, 1].filter((d) => w.shape[d] === rows);
  if (dimensions.length === 0 || rows * columns !== count(w.shape)) return undefined;
  return derivedTensor('spectral_norm', w.shape, async () => {
    const [values, left, right] = [await readFloats(w), await readFloats(u), await readFloats(v)];
    const found = dimensions.map((d) => largestSingular(values, count(w.shape.slice(d + 1)), d, left, right));
    // As many inputs as outputs: training keeps u along W v, which tells one from the other.
    const { sigma } = found.reduce((best, one) => (one.cosine > best.cosine ? one : best));
    return values.map((value) => value / sigma);
  });
}

/** u W v, and the cosine of u and W v; `inner` elements of a row lie side by side. */
function largestSingular(
  values: Float32Array,
  inner: number,
  dimension: number,
  u: Float32Array,
  v: Float32Array,
): { sigma: number; cosine: number } {
  const product = new Float64Array(u.length);
  for (const [i, value] of values.entries()) {
    const row = Math.floor(i / inner) % u.length;
    const column = dimension === 0 ? i % v.length : Math.floor(i / (inner * u.length)) * inner + (i % inner);
    product[row]! += value * v[column]!;
  }
  const sigma = product.reduce((sum, value, row) => sum + value * u[row]!, 0);
  return { sigma, cosine: sigma / Math.hypot(...product) };
}
