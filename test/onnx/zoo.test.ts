/**
 * Many architectures, exported by both of PyTorch's exporters: run by hand on what oracle/export_zoo.py made.
 *
 *     CRITMAP_ZOO=FOLDER npx tap -R tap test/onnx/zoo.test.ts     # CRITMAP_ZOO_ONLY=NAME,... for some,
 *     # CRITMAP_ZOO_EVERY=1 for resets of every layer
 */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { messageOf } from '../../src/errors.js';
import { checkExport, readExported } from './exported.js';

/** What an export itself makes of a model; docs/export.md says how to avoid it. */
const known: Record<string, RegExp> = {
  // Its constant folding stores a part of the weight standardisation: left out, and warned of.
  'nfnet.folded': /25 layers not found/,
  'eca_nfnet.folded': /25 layers not found/,
  'bit.folded': /17 layers not found/,
  // The convolution of a constant, the position encoding, is folded as a whole.
  'xcit.dynamo': /1 layers not found: pos_embed\.token_projection/,
  // So are the first layers of networks that make relative positions; both are warned of.
  'swinv2.dynamo': /4 layers not found: layers\.0\.blocks\.0\.attn\.cpb_mlp\.0/,
  'swinv2_cr.dynamo': /4 layers not found: stages\.0\.blocks\.0\.attn\.meta_mlp\.fc1/,
  // Where windows are small enough all of it is folded, and the file knows nothing of it any more.
  'coatnet_rmlp.dynamo': /3 layers not found: stages\.2\.blocks\.0\.attn\.rel_pos\.mlp\.fc1,stages\.3\./,
};

const folder = process.env.CRITMAP_ZOO;
/** Both engines and the unoptimised graph on every layer, or on some. */
const every = process.env.CRITMAP_ZOO_EVERY === '1';
const only = process.env.CRITMAP_ZOO_ONLY?.split(',');
const names = (folder ? readdirSync(folder) : [])
  .flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []))
  .filter((name) => !only || only.includes(name));
const skip = names.length === 0 && 'CRITMAP_ZOO names no folder of oracle/export_zoo.py';

t.test('exported architectures are what PyTorch says they are', { skip, timeout: 3_600_000 }, async (t) => {
  for (const name of names) {
    const { kinds, failed } = readExported(folder ?? '', name);
    for (const [kind, why] of Object.entries(failed)) t.comment(`${name}.${kind} was not exported: ${why}`);
    for (const kind of kinds) {
      try {
        const { problems, warnings, layers, original, donor } = await checkExport(
          folder ?? '',
          name,
          kind,
          every,
        );
        const expected = known[`${name}.${kind}`];
        for (const problem of problems) t.comment(problem);
        t.strictSame(
          problems.filter((problem) => !expected?.test(problem)),
          [],
          `${name}.${kind}`,
        );
        const digits = (value: number) => value.toExponential(1);
        t.comment(
          `| ${name} | ${kind} | ${layers} | ${digits(original)} | ${digits(donor)} | ${warnings.length} |`,
        );
        for (const warning of warnings) t.comment(warning);
      } catch (error) {
        t.fail(`${name}.${kind}: ${messageOf(error)}`);
      }
    }
  }
});
