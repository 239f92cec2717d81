/** What random resets draw from, as it was asked for: schemes, or fresh models, of which each is one draw. */
import { CritmapError } from '../errors.js';
import { checkInit, type InitChoice } from '../initialisation/initials.js';
import type { Model } from '../model/model.js';
import type { Reset } from '../resets/kinds.js';
import type { SweepValues } from './options.js';

const refuse = (why: string) => new CritmapError('ERR_OPTION', why);

interface Drawn {
  init?: InitChoice | undefined;
  initFrom?: readonly Model[] | undefined;
}

/** @throws CritmapError (ERR_OPTION) for schemes that there are not, or models and schemes at once */
export function checkDrawn({ init = 'auto', initFrom }: Drawn, resets: readonly Reset[]): void {
  checkInit(init);
  if (initFrom === undefined) return;
  if (!Array.isArray(initFrom) || !initFrom.every((model) => model?.layers)) {
    throw new TypeError('initFrom must be an array of models; loadFresh loads them');
  }
  if (initFrom.length === 0) throw refuse('--init-from names no model');
  if (init !== 'auto') throw refuse('--init and --init-from both say what to draw; give one');
  if (!resets.some(({ kind }) => kind === 'random')) throw refuse('--init-from goes with --reset random');
}

/**
 * The design that fresh models make: each is a draw that sees all images. With draws of their own for a few images each,
 * models would come back, and an interval would count one draw as many.
 *
 * @throws CritmapError (ERR_OPTION) for another design, or more trials than models
 */
export function freshDesign(choices: SweepValues, initFrom: Drawn['initFrom']): SweepValues {
  if (initFrom === undefined) return choices;
  const { imagesPerDraw, published, trials = published ? 3 : initFrom.length } = choices;
  if (imagesPerDraw !== undefined && imagesPerDraw !== 'all') {
    throw refuse('each model of --init-from is a draw that sees all images; leave out --images-per-draw');
  }
  if (trials > initFrom.length) {
    throw refuse(
      `${trials} trials need as many fresh models, --init-from has ${initFrom.length}; give more of them, or --trials ${initFrom.length}`,
    );
  }
  return published ? choices : { ...choices, trials };
}
