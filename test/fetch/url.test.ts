/** `https:` words, with http on loopback in its place: what is kept, asked again, refused. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CritmapError } from '../../src/errors.js';
import { locate } from '../../src/fetch/local.js';
import { isRemote, parseRemote } from '../../src/fetch/words.js';
import { cutAfter, sendFile, sha256, startHub } from './hub-server.js';

const data = randomBytes(200_000);
const etag = `"${sha256(data).slice(0, 16)}"`;

async function serverFor(t: Test, files: Record<string, Buffer> = { 'r50.pth': data }) {
  const server = await startHub(t);
  Object.assign(server.files, files);
  process.env.XDG_CACHE_HOME = t.testdir({});
  delete process.env.HF_HUB_OFFLINE;
  const downloads = join(process.env.XDG_CACHE_HOME, 'critmap', 'downloads');
  return { server, downloads, url: `${server.url}/files/r50.pth` };
}

const fetched = async (text: string) => {
  const { file, place, warnings } = await locate(text);
  return { ...file!, place, warnings, content: readFileSync(file!.path) };
};

async function refusal(t: Test, text: string, message: RegExp, code = 'ERR_FETCH') {
  const error: unknown = await locate(text).catch((thrown: unknown) => thrown);
  if (!(error instanceof CritmapError)) return t.fail(`${text} is not refused: ${error}`);
  t.equal(error.code, code, error.message);
  t.match(error.message, message);
  t.notMatch(error.message, /secret/);
}

t.test('what an address may be', async (t) => {
  t.notOk(['m.onnx', './hf:x', 'dir/https:', 'C:\\m.onnx', 'httpd.pth'].some(isRemote));
  const hex = 'AB'.repeat(32);
  const words: [string, object][] = [
    ['hf:o/n', { repository: 'o/n', revision: 'main' }],
    ['hf:o/n.a_b-c@v1.0/sub/x.pth#ema', { revision: 'v1.0', file: 'sub/x.pth', place: 'ema' }],
    ['hf:o/n@refs/pr/3/x.pth', { revision: 'refs/pr/3', file: 'x.pth' }],
    ['hf:o/n@a%2Fb', { revision: 'a/b' }],
    ['hf:o/n#model', { repository: 'o/n', place: 'model' }],
    [`https://h/x.pth#sha256=${hex}#ema`, { sha256: hex.toLowerCase(), place: 'ema' }],
    ['https://h/x.pth#ema', { place: 'ema' }],
    ['http://localhost:1/x', { kind: 'url' }],
  ];
  for (const [text, wanted] of words) {
    t.ok(isRemote(text));
    t.match(parseRemote(text), wanted, text);
  }
  const bad: [string, RegExp][] = [
    ['hf:resnet50', /write hf:OWNER\/NAME/],
    ['hf:o/n@', /write hf:/],
    ['hf:o/..', /write hf:/],
    ['hf:o/n@..%2F..', /write hf:/],
    ['hf:o/n/../x', /write hf:/],
    ['hf:o/n@%zz', /write hf:/],
    ['http://example.com/x.pth', /is not encrypted; give an https: address/],
    ['http://127.0.0.1.example.com/x', /is not encrypted/],
    ['https://me:secret@h/x', /has a name or a password in it/],
    ['https://h/x?key=secret#sha256=12', /is written #sha256= and 64 hexadecimal digits/],
    ['https://h/x#sha256:12', /is written #sha256=/],
    ['https://', /is no web address/],
  ];
  for (const [text, message] of bad) await refusal(t, text, message, 'ERR_OPTION');
});

t.test('a pinned file is fetched once, another is asked for again', async (t) => {
  const { server, url, downloads } = await serverFor(t);
  const pinned = await fetched(`${url}#sha256=${sha256(data)}#ema`);
  t.ok(pinned.content.equals(data));
  t.equal(pinned.place, 'ema');
  t.match(pinned.path, /\/critmap\/downloads\/[0-9a-f]{32}\/r50\.pth$/);
  t.equal(pinned.source, `${url}#sha256=${sha256(data)}`);
  t.equal((await fetched(`${url}#sha256=${sha256(data)}`)).path, pinned.path);
  t.equal(server.asked.length, 1);

  const seen: number[] = [];
  await locate(url, { onFetch: ({ done }) => seen.push(done) });
  t.equal(server.asked.length, 2);
  t.strictSame(seen, [], 'it is the newest: no byte of it came');

  const newer = randomBytes(1000);
  server.files['r50.pth'] = newer;
  t.ok((await fetched(url)).content.equals(newer));
  await server.stop();
  const { content, warnings } = await fetched(url);
  t.ok(content.equals(newer));
  t.match(warnings, [
    /r50\.pth: cannot be fetched from .*refuses connections; what was fetched before is taken$/,
  ]);
  process.env.HF_HUB_OFFLINE = '1';
  t.strictSame((await fetched(url)).warnings, []);
  await refusal(t, `${url}?key=secret`, /has not been fetched before, and nothing is fetched now/);
  await refusal(t, `${url}#sha256=${sha256(data)}`, /HF_HUB_OFFLINE/);
  t.equal(readdirSync(downloads).length, 2);
});

t.test('another file than the pinned one is refused and removed', async (t) => {
  const { server, url, downloads } = await serverFor(t);
  const wanted = randomBytes(10);
  await refusal(
    t,
    `${url}#sha256=${sha256(wanted)}`,
    /its SHA-256 is [0-9a-f]{64} instead of .*; it was removed/,
  );
  const [folder] = readdirSync(downloads);
  t.strictSame(readdirSync(join(downloads, folder!)), []);
  server.files['r50.pth'] = wanted;
  const { path, content } = await fetched(`${url}#sha256=${sha256(wanted)}`);
  t.ok(content.equals(wanted) && existsSync(path));
  await refusal(
    t,
    `${server.url}/files/none.pth?key=secret`,
    /none\.pth\?\.\.\.: there is no such file \(status 404\)/,
  );
  server.instead(/r50/, (_, res) => res.writeHead(403).end());
  await refusal(t, url, /access is refused \(status 403\)/);
});

t.test('a cut connection goes on, unless the file has changed meanwhile', async (t) => {
  const { server, url } = await serverFor(t);
  server.instead(/r50/, cutAfter(50_000, data, etag));
  t.ok((await fetched(url)).content.equals(data));
  t.strictSame(
    server.asked.map(({ range }) => range),
    [undefined, 'bytes=50000-'],
  );
  const other = randomBytes(100_000);
  server.files['changed.pth'] = other;
  server.instead(/changed/, cutAfter(50_000, data, etag));
  t.ok((await fetched(`${server.url}/files/changed.pth`)).content.equals(other));
  server.instead(/changed/, (_, res) => {
    res.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 9), () => res.destroy());
  });
  server.instead(/changed/, (req, res) => sendFile(req, res, data, '"x"'));
  t.ok(
    (await fetched(`${server.url}/files/changed.pth`)).content.equals(data),
    'without ETag it begins again',
  );
});

t.test('a server that never sends more is given up, and what came is kept', async (t) => {
  const { server, url } = await serverFor(t);
  server.instead(/r50/, cutAfter(60_000, data, etag));
  server.instead(/r50/, cutAfter(0, data, etag), 4);
  await refusal(t, url, /the connection to 127\.0\.0\.1:\d+ was cut again and again .*what came in is kept/);
  t.equal(server.asked.length, 5);
  t.ok((await fetched(url)).content.equals(data));
  // What has come when the connection ends may not have been read yet.
  const [, kept] = /^bytes=(\d+)-$/.exec(server.asked.at(-1)?.range ?? '') ?? [];
  t.ok(Number(kept) > 0 && Number(kept) <= 60_000, `${kept} bytes were kept`);
});

t.test('stopped by a signal, it goes on the next time', async (t) => {
  const { server, url } = await serverFor(t);
  server.instead(/r50/, (_, res) => {
    res.writeHead(200, { etag, 'content-length': data.length }).write(data.subarray(0, 70_000));
  });
  const controller = new AbortController();
  const reason = new Error('enough');
  const onFetch = ({ done }: { done: number }) => done === 70_000 && controller.abort(reason);
  await t.rejects(locate(url, { onFetch, signal: controller.signal }), reason);
  t.ok((await fetched(url)).content.equals(data));
  t.match(server.asked, [{}, { range: 'bytes=70000-' }]);
});
