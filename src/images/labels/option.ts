/** What `--labels` may be, and what goes with it. */
import { optionError } from '../input-error.js';

/** `--labels column:NAME` names a column of a Parquet file. */
export const COLUMN = 'column:';

/** Whether `--labels` names a file. */
export function isLabelFile(labels: string | undefined): labels is string {
  return labels !== undefined && labels !== 'none' && labels !== 'folder' && !labels.startsWith(COLUMN);
}

/** @throws CritmapError ERR_OPTION for columns that are none, or that nothing would read */
export function checkLabelColumns(labels: string | undefined, columns: readonly string[] | undefined): void {
  if (columns === undefined) return;
  const isList = Array.isArray(columns) && columns.every((name) => typeof name === 'string' && name !== '');
  if (!isList || columns.length < 1 || columns.length > 2) {
    throw optionError('--label-columns takes the column of classes, or those of images and of classes');
  }
  if (!isLabelFile(labels)) throw optionError('--label-columns goes with --labels FILE; give it too');
  if (/\.npy$/i.test(labels)) throw optionError(`--label-columns does not go with ${labels}, which has none`);
}
