/** Module criticality as tables. Numbers keep their shortest exact form, null is an empty field. */
import { csvField, type Field } from '../files/csv.js';
import type { GridPoint, ModuleMinimum } from './valley.js';

interface Modules {
  model: { name: string };
  modules: readonly (ModuleMinimum & {
    module: string;
    parameters: number;
    distance: number;
    points: readonly GridPoint[];
  })[];
}

const csv = (rows: readonly (readonly Field[])[]) =>
  rows.map((row) => `${row.map(csvField).join(',')}\n`).join('');

/** One row a module. */
export function modulesCsv({ model, modules }: Modules): string {
  return csv([
    ['model', 'module', 'parameters', 'distance', 'alpha', 'sigma', 'loss', 'module_criticality'],
    ...modules.map(({ module, parameters, distance, alpha, sigma, loss, value }) => [
      ...[model.name, module, parameters, distance, alpha, sigma, loss, value],
    ]),
  ]);
}

/** One row a module and point of the grid; `fits` is 1 or 0. */
export function gridCsv({ model, modules }: Modules): string {
  return csv([
    ['model', 'module', 'alpha', 'sigma', 'loss', 'fits', 'value'],
    ...modules.flatMap(({ module, points }) =>
      points.map(({ alpha, sigma, loss, fits, value }) => [
        ...[model.name, module, alpha, sigma, loss, Number(fits), value],
      ]),
    ),
  ]);
}
