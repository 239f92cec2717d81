/** What a sweep tells and keeps as it goes. */
import type { Finished, JournalLine } from '../run/journal.js';
import type { OpenRun } from '../run/run.js';

/** Warnings, and results going to disk before they count. */
export class Log {
  readonly warnings: string[];
  readonly #told = new Set<string>();

  constructor(
    private readonly run: OpenRun | null,
    earlier: readonly string[],
    private readonly onWarning?: (message: string) => void,
  ) {
    this.warnings = [...earlier];
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message);
    this.#told.add(message);
    this.onWarning?.(message);
  }

  /** Those of the warnings that have not been told yet. */
  tell(messages: readonly string[]): void {
    for (const message of messages) if (!this.#told.has(message)) this.warn(message);
  }

  async finish(finished: Finished, line: JournalLine): Promise<void> {
    await this.run?.journal.append([line]);
    finished.add(line);
  }
}
