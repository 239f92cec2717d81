/** One thing that is looked at, what was found, and what to do about it. */
import { CritmapError, messageOf } from '../errors.js';

/**
 * - `ok`: as it should be, or of no consequence
 * - `note`: critmap works, and would work better
 * - `problem`: no sweep can run
 */
export type CheckState = 'ok' | 'note' | 'problem';

export interface Check {
  /** For programs; stable. */
  id: string;
  /** For people. */
  title: string;
  state: CheckState;
  /** What was found, in a line. */
  found: string;
  /** What to do; null where there is nothing. */
  remedy: string | null;
  /** The same as values, for programs. */
  facts: Readonly<Record<string, unknown>>;
}

export type Finding = Pick<Check, 'found'> & Partial<Pick<Check, 'state' | 'remedy' | 'facts'>>;

/** What is looked at: its name, and how. */
export interface Examination {
  id: string;
  title: string;
  look: () => Finding | Promise<Finding>;
}

/** Whatever happens while something is looked at is a finding too. */
export async function examine({ id, title, look }: Examination): Promise<Check> {
  const found = await Promise.resolve()
    .then(look)
    .catch((error: unknown): Finding => {
      const isKnown = error instanceof CritmapError;
      return {
        state: 'problem',
        found: isKnown ? error.message : `could not be looked at: ${messageOf(error)}`,
        facts: isKnown ? { code: error.code } : {},
      };
    });
  return { id, title, state: 'ok', remedy: null, facts: {}, ...found };
}
