/** Writes docs/events.schema.json, what a line of `sweep --json` is: `node scripts/events-schema.mjs` after a build. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { sweepEventSchema } from '../dist/sweep/events.js';

const schema = z.toJSONSchema(sweepEventSchema, { io: 'input' });
writeFileSync(new URL('../docs/events.schema.json', import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
