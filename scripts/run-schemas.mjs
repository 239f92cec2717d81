/**
 * Writes docs/run.schema.json and docs/summary.schema.json, the shapes of a run's two JSON files, from the schemas that
 * they are read with: `node scripts/run-schemas.mjs` after a build.
 */
import { writeFileSync } from 'node:fs';
import { runSchemas, schemaText } from '../dist/run/schemas.js';

for (const name of Object.keys(runSchemas)) {
  writeFileSync(new URL(`../docs/${name}`, import.meta.url), schemaText(name));
}
