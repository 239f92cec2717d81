/** Writes docs/study.schema.json, with which editors check and complete a study.yaml: `node scripts/study-schema.mjs` after a build. */
import { writeFileSync } from 'node:fs';
import { studySchemaText } from '../dist/study/schema.js';

writeFileSync(new URL('../docs/study.schema.json', import.meta.url), studySchemaText());
