import t from 'tap';
import { CritmapError } from '../../src/errors.js';
import { planProblem } from '../../src/plan/plan-sweep.js';

t.test('a model that cannot be cut is sent to the reference engine, one that does not run is not', (t) => {
  t.match(
    planProblem(new RangeError('the tensor c has no known shape')),
    /cut.*no known shape.*--engine reference/,
  );
  const broken = new CritmapError('ERR_MODEL', 'the model does not run on blank images: no such operator');
  t.equal(planProblem(broken), broken.message);
  t.end();
});
