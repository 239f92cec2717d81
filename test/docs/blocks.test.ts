/** Every block of code in README and docs/ runs as it stands, or says what it needs for that. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import t from 'tap';
import ts from 'typescript';
import { parse } from 'yaml';
import { lacksRedis } from '../queue/redis-server.js';
import { checkOf, misfitsIn } from './json-schemas.js';
import { type Block, NEEDS, pages, root } from './pages.js';
import { type Ended, makeSandbox } from './sandbox.js';

/** `text` is output, and lists of files. */
const LANGUAGES = ['sh', 'bash', 'js', 'ts', 'yaml', 'json', 'python', 'r', 'text', 'bibtex'];
/** test/study/study.test.ts runs these, and looks at what they print. */
const ELSEWHERE = ['docs/python.md', 'docs/r.md'];
const isScript = ({ language }: Block) => language === 'js' || language === 'ts';
const isShell = ({ language }: Block) => language === 'sh' || language === 'bash';

/** Besides those that need nothing. */
const isRun = ({ needs }: Block) => needs === null || (needs === 'redis' && !lacksRedis);

// On a busy machine that many commands take minutes by the clock.
t.setTimeout(900_000);

const all = pages();
const blocks = all.flatMap((page) => page.blocks);

t.test('every block has a language, and a reason if it does not run', async (t) => {
  for (const block of blocks) {
    t.ok(LANGUAGES.includes(block.language), `${block.name}: ${block.language || 'no language'}`);
    if (block.needs !== null) t.ok(block.needs in NEEDS, `${block.name} needs ${block.needs}`);
  }
  const needy = blocks.filter(({ needs }) => needs !== null).length;
  t.ok(needy < blocks.length / 3, `${needy} of ${blocks.length} do not run`);
});

t.test('commands and scripts run, page by page', { timeout: 900_000 }, async (t) => {
  // Outside of the tree, which a link in it leads to.
  const directory = mkdtempSync(join(tmpdir(), 'critmap-docs-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const sandbox = await makeSandbox(directory);
  for (const page of all) {
    const running = page.blocks.filter(
      (block) => isRun(block) && (isShell(block) || isScript(block) || block.file !== null),
    );
    if (running.length === 0) continue;
    const folder = sandbox.folderFor(
      page.path,
      running.map(({ text }) => text),
    );
    for (const [i, block] of running.entries()) {
      if (block.file !== null) {
        writeFileSync(join(folder, block.file), block.text);
        continue;
      }
      const ended = await (isShell(block) ? shell(block) : script(block, `block-${i}.mjs`));
      t.equal(ended.code, block.exits, `${block.name}\n${ended.code === block.exits ? '' : ended.output}`);
      const next = page.blocks[page.blocks.indexOf(block) + 1];
      if (block.exits !== 0)
        t.ok(next && ended.output.includes(next.text), `${block.name} prints what follows`);
    }

    function shell({ text }: Block): Promise<Ended> {
      // What it leaves behind in the background ends with it.
      const ending = "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT";
      return sandbox.run(folder, 'bash', ['-euo', 'pipefail', '-c', `${ending}\n${text}`]);
    }

    function script({ text, language }: Block, name: string): Promise<Ended> {
      const code = language === 'ts' ? transformSync(text, { loader: 'ts', format: 'esm' }).code : text;
      writeFileSync(join(folder, name), code);
      return sandbox.run(folder, process.execPath, [name]);
    }
  }
  const { count, misfits } = misfitsIn(directory);
  t.ok(count > 20, `${count} files of runs`);
  t.strictSame(misfits, [], 'all of them fit the schemas');
});

t.test('scripts have the types that the package declares', async (t) => {
  const sources = new Map(
    blocks.filter(isScript).map((block, i) => [join(root, `docs/block-${i}.mts`), block]),
  );
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: ['node'] },
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    paths: { critmap: [join(root, 'src/index.ts')] },
    lib: ['lib.es2023.d.ts'],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path)?.text ?? readFile(path);
  host.getSourceFile = (path, ...rest) => {
    const block = sources.get(path);
    return block
      ? ts.createSourceFile(path, block.text, ts.ScriptTarget.ES2022)
      : getSourceFile(path, ...rest);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  for (const [path, block] of sources) {
    const source = program.getSourceFile(path)!;
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    t.strictSame(
      found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
      [],
      block.name,
    );
  }
});

t.test('what does not run is written rightly', async (t) => {
  for (const block of blocks.filter((one) => isShell(one) && one.needs !== null)) {
    const { status, stderr } = spawnSync('bash', ['-n', '-c', block.text], { encoding: 'utf8' });
    t.equal(status, 0, `${block.name} ${stderr}`);
  }
  const check = checkOf('study.schema.json');
  for (const block of blocks) {
    if (block.language === 'json') t.doesNotThrow(() => JSON.parse(block.text), block.name);
    if (block.language !== 'yaml') continue;
    const value = parse(block.text);
    if (block.needs === null) t.equal(check(value), '', block.name);
  }
  const python = blocks.filter(({ language }) => language === 'python');
  const program = 'import ast, json, sys\nfor text in json.load(sys.stdin): ast.parse(text)';
  const input = JSON.stringify(python.map(({ text }) => text));
  const { error, status, stderr } = spawnSync('python3', ['-c', program], { input, encoding: 'utf8' });
  if (error) return t.pass('there is no Python here', { skip: true });
  t.equal(status, 0, stderr);
  for (const { name, page, needs } of python)
    t.ok(needs !== null || ELSEWHERE.includes(page), `${name} is run by a test`);
});
