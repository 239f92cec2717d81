/** `critmap architectures`: what `--arch` takes. */
import type { CommandModule } from 'yargs';
import { largest } from '../statistics/extremes.js';
import { json, print } from './terminal.js';

export const architecturesCommand: CommandModule<object, { json: boolean }> = {
  command: 'architectures',
  describe: 'List the built-in architectures that --arch takes',
  builder: (yargs) => yargs.option('json', { type: 'boolean', default: false, describe: 'Print as JSON' }),
  handler: async ({ json: asJson }) => {
    const listed = await list();
    print(asJson ? json(listed, 1) : text(listed));
  },
};

async function list() {
  const { parameterCount } = await import('../architectures/build.js');
  const { blueprints } = await import('../architectures/registry.js');
  return blueprints.map(({ describe, ...known }) => ({
    ...known,
    parameters: parameterCount(describe({ size: known.size })),
  }));
}

function text(listed: Awaited<ReturnType<typeof list>>): string {
  const rows = listed.map(({ name, parameters, size, mean, std, cropPct }) => [
    name,
    `${(parameters / 1e6).toFixed(1)} M`,
    String(size),
    mean.join(','),
    std.join(','),
    String(cropPct),
  ]);
  const table = [['architecture', 'parameters', 'size', 'mean', 'std', 'crop_pct'], ...rows];
  const widths = table[0]?.map((_, column) => largest(table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths?.[column] ?? 0) : cell.padEnd(widths?.[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${table.map(line).join('\n')}\n`;
}
