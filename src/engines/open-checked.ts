/**
 * An engine that has been opened and checked. How much memory a card will need is a prediction: where it was too low, a
 * smaller batch is tried before anything is computed.
 */
import type { Model } from '../model/model.js';
import { isDeviceFull } from '../native/open-engine.js';
import { cardBatches } from '../plan/card-memory.js';
import { CROSSED, type Engine, type EngineOptions } from './engine.js';

type Open = (model: Model, options: EngineOptions) => Promise<Engine>;

/**
 * @param check rejects where the engine is not to be used; it is closed then
 * @param onSmaller told why a smaller batch is tried
 */
export async function openChecked<Checked>(
  open: Open,
  model: Model,
  options: EngineOptions,
  check: (engine: Engine) => Promise<Checked>,
  onSmaller: (message: string) => void,
): Promise<{ engine: Engine; checked: Checked }> {
  const { design = CROSSED, smallerBatch = false } = options;
  let { batch } = options;
  for (;;) {
    let opened: Engine | undefined;
    try {
      opened = await open(model, { ...options, batch });
      return { engine: opened, checked: await check(opened) };
    } catch (error) {
      await opened?.close();
      const smaller = nextBatch(opened?.batch ?? batch, design.imagesPerDraw);
      if (!smallerBatch || !isDeviceFull(error) || smaller === undefined) throw error;
      onSmaller(
        `${model.file.path}: a card has less memory than was reckoned with; batches of ${smaller} are tried`,
      );
      batch = smaller;
    }
  }
}

const nextBatch = (batch: number, imagesPerDraw: number | 'all') => cardBatches(batch, imagesPerDraw)[1];
