/** A study's results on disk: `study.json`, and its rows with all that is known of models as CSV and Parquet. */
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { csvField } from '../files/csv.js';
import { replaceFile } from '../files/replace.js';
import { studyFiles } from '../run/study-plan.js';
import { collectResults, type StudyResults } from './results.js';

type Value = string | number | boolean | null;
type Kind = 'STRING' | 'DOUBLE' | 'INT32' | 'INT64' | 'BOOLEAN';

interface Column {
  name: string;
  type: Kind;
  values: Value[];
}

/** @throws CritmapError (ERR_RUN) when a file cannot be written or is damaged, as {@link readStudyResults} */
export async function writeStudyResults(directory: string): Promise<StudyResults> {
  if (typeof directory !== 'string') throw new TypeError('the directory must be a path');
  const results = await collectResults(directory);
  const columns = columnsOf(results);
  await replaceFile(join(directory, studyFiles.results), `${JSON.stringify(results, null, 1)}\n`);
  await replaceFile(join(directory, studyFiles.table), csvOf(columns));
  await replaceFile(join(directory, studyFiles.parquet), parquetOf(columns));
  return results;
}

function columnsOf({ rows, models }: StudyResults): Column[] {
  const byId = new Map(models.map((model) => [model.id, model]));
  const of = rows.map(({ model }) => byId.get(model)!);
  const attributes = [...new Set(models.flatMap((model) => Object.keys(model.attributes)))];
  const own = (name: keyof StudyResults['rows'][number], type: Kind): Column => ({
    ...{ name, type },
    values: rows.map((row) => row[name]),
  });
  return [
    own('model', 'STRING'),
    { name: 'name', type: 'STRING', values: of.map(({ name }) => name) },
    own('category', 'STRING'),
    { name: 'accuracy', type: 'DOUBLE', values: of.map(({ accuracy }) => accuracy) },
    ...attributes.map((name): Column => {
      const values = of.map(({ attributes }) => (Object.hasOwn(attributes, name) ? attributes[name]! : null));
      const type = kindOf(values);
      return { name, type, values: type === 'STRING' ? values.map(textOf) : values };
    }),
    own('imageSet', 'STRING'),
    own('layer', 'STRING'),
    own('depth', 'DOUBLE'),
    own('op', 'STRING'),
    own('parameters', 'INT64'),
    own('reset', 'STRING'),
    own('metric', 'STRING'),
    own('mean', 'DOUBLE'),
    own('low', 'DOUBLE'),
    own('high', 'DOUBLE'),
    own('interval', 'STRING'),
    own('images', 'INT32'),
    own('draws', 'INT32'),
  ];
}

const textOf = (value: Value) => (value === null ? null : String(value));

/** Text where an attribute is a number of some models and a word of others. */
function kindOf(values: readonly Value[]): Kind {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => typeof value));
  if (kinds.size !== 1) return 'STRING';
  return kinds.has('number') ? 'DOUBLE' : kinds.has('boolean') ? 'BOOLEAN' : 'STRING';
}

function csvOf(columns: readonly Column[]): string {
  const lines = [columns.map(({ name }) => csvField(name)).join(',')];
  for (let row = 0; row < (columns[0]?.values.length ?? 0); row++) {
    lines.push(
      columns
        .map(({ values }) =>
          csvField(
            typeof values[row] === 'boolean' ? textOf(values[row]!) : (values[row] as string | number | null),
          ),
        )
        .join(','),
    );
  }
  return `${lines.join('\n')}\n`;
}

function parquetOf(columns: readonly Column[]): Uint8Array {
  // Of large layers there are more parameters than 32 bits count.
  const wide = (value: Value) => (typeof value === 'number' ? BigInt(value) : null);
  const columnData = columns.map(({ name, type, values }) => ({
    ...{ name, type, nullable: true },
    data: type === 'INT64' ? values.map(wide) : values,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
