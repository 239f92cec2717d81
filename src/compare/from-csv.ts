/**
 * A `results.csv` as the published study has it, one row per model, layer and draw, or as `critmap sweep` writes it.
 * What is read: `model_id, layer, trial, pred_cos_sim`, and where they are there `reset`, `top1_acc`, `recovered_acc`.
 */
import Papa from 'papaparse';
import { CritmapError } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { groupedBy, type LayerNumbers, type ModelNumbers } from './numbers.js';

type Row = Readonly<Record<string, string | undefined>>;
const NEEDED = ['model_id', 'layer', 'pred_cos_sim'];
/** The row of the untouched model. */
const ORIGINAL = 'original';

/** @throws CritmapError (ERR_RUN) when it cannot be read or is no such table */
export async function fromCsv(path: string): Promise<ModelNumbers[]> {
  const { rows, columns } = await readTable(path);
  const missing = NEEDED.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new CritmapError(
      'ERR_RUN',
      `${path} has no column ${missing.join(', ')}; give a results.csv with the published columns, or a run directory`,
    );
  }
  const models = groupedBy(rows, (row) => row.model_id ?? '');
  const scale = accuracyScale(rows);
  return [...models].map(([id, ofModel]): ModelNumbers => {
    const original = originalAccuracy(ofModel);
    return {
      id,
      source: path,
      category: null,
      attributes: original === null ? {} : { top1: scale * original },
      shared: { images: null, design: null, draws: null },
      layers: layersOf(path, ofModel),
      notes: [],
    };
  });
}

/** A CSV file as rows by the names of its columns. */
export async function readTable(path: string): Promise<{ rows: Row[]; columns: string[] }> {
  let text: string;
  try {
    text = (await readRegular(path)).toString('utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new CritmapError('ERR_RUN', `${path} ${fileProblem(error).join('; ')}`, { cause: error });
  }
  const { data, meta, errors } = Papa.parse<Row>(text, {
    header: true,
    delimiter: ',',
    skipEmptyLines: true,
  });
  const wrong = errors[0];
  if (wrong) {
    const row = wrong.row === undefined ? '' : ` row ${wrong.row + 1}`;
    throw new CritmapError('ERR_RUN', `${path}${row} is not CSV as expected: ${wrong.message}`);
  }
  if (data.length === 0) throw new CritmapError('ERR_RUN', `${path} has no rows`);
  return { rows: data, columns: meta.fields ?? [] };
}

function layersOf(path: string, rows: readonly Row[]): LayerNumbers[] {
  const ofLayers = rows.filter(({ layer }) => layer !== ORIGINAL);
  // The published code wraps its networks.
  const isWrapped = ofLayers.every(({ layer }) => layer?.startsWith('model.'));
  const nameOf = ({ layer = '' }: Row) => (isWrapped ? layer.slice('model.'.length) : layer);
  const groups = groupedBy(ofLayers, (row) => JSON.stringify([nameOf(row), row.reset ?? 'random']));
  return [...groups.values()].map((ofLayer) => {
    const values = ofLayer.flatMap(({ pred_cos_sim: text = '' }) => {
      if (text === '' || /^nan$/i.test(text)) return [];
      const cosine = Number(text);
      if (Number.isFinite(cosine) && Math.abs(cosine) <= 1.0001) return [100 * (1 - cosine)];
      throw new CritmapError('ERR_RUN', `${path}: pred_cos_sim ${JSON.stringify(text)} is not in [-1, 1]`);
    });
    const mean = values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
    return {
      layer: nameOf(ofLayer[0]!),
      reset: ofLayer[0]!.reset ?? 'random',
      mean,
      isDestroyed: mean === null,
      numbers: { kind: 'draws', values },
    };
  });
}

const number = (text: string | undefined) => (text ? Number(text) : Number.NaN);

/** That of the `original` row, else what the accuracy is a recovered share of. */
function originalAccuracy(rows: readonly Row[]): number | null {
  const own = number(rows.find(({ layer }) => layer === ORIGINAL)?.top1_acc);
  if (Number.isFinite(own)) return own;
  let best: { top1: number; share: number } | null = null;
  for (const row of rows) {
    const [top1, share] = [number(row.top1_acc), number(row.recovered_acc)];
    if (top1 > 0 && share > 0 && !(best && best.top1 >= top1)) best = { top1, share };
  }
  return best && best.top1 / best.share;
}

/** 100 where the file has shares. */
function accuracyScale(rows: readonly Row[]): number {
  let largest = 0;
  for (const row of rows) largest = Math.max(largest, number(row.top1_acc) || 0);
  return largest > 1 ? 1 : 100;
}
