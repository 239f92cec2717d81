/** Options of a study are set in its file: what is said of them in words of the command line, in the file's. */
import type { z } from 'zod';
import { choiceTable, sourceTable } from './schema.js';

const table: Record<string, z.ZodType> = { ...sourceTable, ...choiceTable };

const nameOf = (word: string) => word.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The name in a study's file of an option such as `--skip-bad-images`; null of what is none there. */
export function nameInStudy(option: string): string | null {
  const name = nameOf(option.replace(/^--/, ''));
  return Object.hasOwn(table, name) ? name : null;
}

/** What a sweep says to do, as it is done in a study: `give skipBadImages: true (in the study's file)`. */
export function inStudyWords(message: string): string {
  let isNamed = false;
  const text = message.replace(
    /(?<![\w./-])(give )?--([a-z]+(?:-[a-z]+)*)(?![\w/])/g,
    (word, give: string = '') => {
      const name = nameInStudy(word.slice(give.length));
      if (name === null) return word;
      isNamed = true;
      return `${give}${give && isSwitch(table[name]!) ? `${name}: true` : name}`;
    },
  );
  return isNamed ? `${text} (options are set in the study's file)` : message;
}

const isSwitch = (schema: z.ZodType) => schema.safeParse(true).success && !schema.safeParse('x').success;
