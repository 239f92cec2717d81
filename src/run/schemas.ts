/** A run's JSON files as JSON Schema, for other programs; docs/files.md speaks of them. */
import { z } from 'zod';
import { runInfoSchema } from './run.js';
import { summarySchema } from './summary.js';

/** By the file of docs/ that has it. */
export const runSchemas = {
  'run.schema.json': runInfoSchema.meta({ title: 'run.json of critmap' }),
  'summary.schema.json': summarySchema.meta({ title: 'summary.json of critmap' }),
} as const;

/** As files are on disk: what earlier versions did not write may be missing. */
export const schemaText = (name: keyof typeof runSchemas) =>
  `${JSON.stringify(z.toJSONSchema(runSchemas[name], { io: 'input' }), null, 1)}\n`;
