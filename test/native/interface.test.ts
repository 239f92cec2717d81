/** The number of the surface between the sources and the addon, and the lint that asks for the next one. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
// @ts-expect-error a script of the tree, without types
import { faultsIn, settle } from '../../scripts/native-interface.mjs';
import { native } from '../../src/native/addon.js';
import { interfaceNumber } from '../../src/native/interface.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = ['addon', 'card', 'columns', 'comparison', 'engine', 'reset-rule', 'interface'].map(
  (name) => `src/native/${name}.ts`,
);

t.test('the addon has the number of the sources', async (t) => {
  t.equal(native().info().interface, interfaceNumber);
});

t.test('another surface is noticed until the number is raised, another comment is not', async (t) => {
  const tree = t.testdir();
  for (const file of [...files, 'binding/interface.h', 'binding/addon.cpp']) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    cpSync(join(root, file), join(tree, file));
  }
  const change = (file: string, from: RegExp, to: string) => {
    const text = readFileSync(join(tree, file), 'utf8');
    t.match(text, from);
    writeFileSync(join(tree, file), text.replace(from, to));
  };

  change('src/native/engine.ts', /\/\*\* New weights\. \*\//, '/** Other words. */');
  t.strictSame(faultsIn(tree), []);

  change('src/native/reset-rule.ts', /'constant'; value: number \}/, "'constant'; to: number }");
  t.match(faultsIn(tree), [/^the surface between src\/native and binding is another one\..*--raise/]);
  const next = interfaceNumber + 1;
  t.equal(settle(tree, true), next);
  t.strictSame(faultsIn(tree), []);
  t.match(readFileSync(join(tree, 'binding/interface.h'), 'utf8'), `interface_number = ${next};`);
  t.match(readFileSync(join(tree, 'src/native/interface.ts'), 'utf8'), `interfaceNumber = ${next};`);

  change('binding/addon.cpp', /"lockFile"/, '"holdFile"');
  t.equal(faultsIn(tree).length, 1, 'a function of another name');
  t.equal(settle(tree, false), next);
  change('binding/interface.h', /interface_number = \d+/, 'interface_number = 99');
  t.strictSame(faultsIn(tree), [`binding/interface.h has number 99, src/native/interface.ts ${next}`]);
});
