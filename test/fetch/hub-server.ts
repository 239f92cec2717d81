/**
 * A server on loopback that plays the Hugging Face hub, and a second one that plays the store that it sends for large
 * files. Answers have the hub's shapes and headers, as its public API gives them.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRepository {
  commit: string;
  files: Record<string, Buffer>;
  /** Who may read it; default everybody. */
  token?: string;
  gated?: boolean;
}

export interface Asked {
  server: 'hub' | 'store';
  method: string;
  path: string;
  range?: string;
  authorization?: string;
}

type Answer = (req: IncomingMessage, res: ServerResponse) => void;

export interface FakeHub {
  url: string;
  /** Everything that was asked, in order. */
  asked: Asked[];
  /** The next `times` requests whose path fits get another answer. */
  instead(path: RegExp, answer: Answer, times?: number): void;
  /** Files that are no repository's, at `/files/NAME`. */
  files: Record<string, Buffer>;
  repositories: Record<string, FakeRepository>;
  stop(): Promise<void>;
}

export const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
/** As `git hash-object` names a file. */
export const gitName = (data: Buffer) =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
const isLarge = (name: string) => /\.(safetensors|bin|onnx|pth)$/.test(name);
const PAGE = 3;

export async function startHub(
  t: { teardown(end: () => unknown): void },
  repositories: Record<string, FakeRepository> = {},
): Promise<FakeHub> {
  const asked: Asked[] = [];
  const others: { path: RegExp; answer: Answer; left: number }[] = [];
  const files: Record<string, Buffer> = {};
  const serve = (
    server: 'hub' | 'store',
    answer: (req: IncomingMessage, res: ServerResponse, url: URL) => void,
  ) =>
    createServer((req, res) => {
      const url = new URL(req.url ?? '/', 'http://localhost');
      const { range, authorization } = req.headers;
      const { method = '' } = req;
      asked.push({
        ...{ server, method, path: decodeURIComponent(url.pathname) },
        ...(range !== undefined && { range }),
        ...(authorization !== undefined && { authorization }),
      });
      const other = others.find(({ path, left }) => left > 0 && path.test(url.pathname));
      if (!other) return answer(req, res, url);
      other.left--;
      return other.answer(req, res);
    });
  const store = serve('store', (req, res, url) => {
    const wanted = url.pathname.split('/').at(-1);
    const all = Object.values(repositories).flatMap((one) => Object.values(one.files));
    const data = all.find((one) => sha256(one) === wanted);
    if (data && url.searchParams.get('signature') === 'secret')
      return sendFile(req, res, data, `"${wanted}"`);
    return void res.writeHead(403).end();
  });
  store.listen(0, '127.0.0.1');
  await once(store, 'listening');
  const at = (server: typeof store) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const hub = serve('hub', (req, res, url) => {
    const path = decodeURIComponent(url.pathname);
    if (path.startsWith('/files/')) {
      const data = files[path.slice('/files/'.length)];
      if (!data) return void res.writeHead(404).end('<html>');
      return sendFile(req, res, data, `"${sha256(data).slice(0, 16)}"`);
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree|paths-info)\/([^/]+)$/.exec(path);
    const raw = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const [, name = '', kind = '', revision = ''] = api ?? (raw ? ['', raw[1], 'resolve', raw[2]] : []);
    const repository = repositories[name];
    const json = (status: number, value: unknown, headers = {}) =>
      void res
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(value));
    const missing = (code: string) => json(404, { error: code }, { 'x-error-code': code });
    const isAllowed = !repository?.token || req.headers.authorization === `Bearer ${repository.token}`;
    if (repository?.gated && !isAllowed) return json(403, {}, { 'x-error-code': 'GatedRepo' });
    // As the hub does for what is not there, or not to be seen.
    if (!repository || !isAllowed) return json(401, { error: 'Invalid username or password.' });
    if (revision !== 'main' && revision !== repository.commit) return missing('RevisionNotFound');
    if (kind === 'revision') {
      return json(200, { _id: '1', id: name, sha: repository.commit, lastModified: '2026-01-01T00:00:00Z' });
    }
    const entries = Object.entries(repository.files).map(([path, data]) => entryOf(path, data));
    if (kind === 'tree') {
      const from = Number(url.searchParams.get('cursor') ?? 0);
      const top = entries.filter(({ path }) => !path.includes('/'));
      const more = from + PAGE < top.length;
      const next = `<${at(hub)}${url.pathname}?recursive=false&cursor=${from + PAGE}>; rel="next"`;
      return json(200, top.slice(from, from + PAGE), more ? { link: next } : {});
    }
    if (kind === 'paths-info') {
      let body = '';
      req.on('data', (text) => (body += text));
      req.on('end', () =>
        json(
          200,
          entries.filter(({ path }) => JSON.parse(body).paths.includes(path)),
        ),
      );
      return;
    }
    const data = repository.files[raw?.[3] ?? ''];
    if (!data) return missing('EntryNotFound');
    const common = { 'x-repo-commit': repository.commit };
    if (!isLarge(path)) return sendFile(req, res, data, `"${gitName(data)}"`, common);
    const headers = { ...common, 'x-linked-etag': `"${sha256(data)}"`, 'x-linked-size': `${data.length}` };
    const location = `${at(store).replace('127.0.0.1', 'localhost')}/blobs/${sha256(data)}?signature=secret`;
    return void res.writeHead(302, { ...headers, location }).end();
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const stop = async () => {
    for (const server of [hub, store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  t.teardown(stop);
  const instead = (path: RegExp, answer: Answer, times = 1) =>
    void others.push({ path, answer, left: times });
  return { url: at(hub), asked, instead, files, repositories, stop };
}

function entryOf(path: string, data: Buffer) {
  const size = data.length;
  if (!isLarge(path)) return { type: 'file', path, size, oid: gitName(data) };
  // Git has a pointer in its place.
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(data)}\n`);
  const lfs = { oid: sha256(data), size, pointerSize: pointer.length };
  return { type: 'file', path, size, oid: gitName(pointer), lfs };
}

/** With ranges and conditions, as stores serve them. */
export function sendFile(
  req: IncomingMessage,
  res: ServerResponse,
  data: Buffer,
  etag: string,
  more = {},
): void {
  const headers = { etag, 'accept-ranges': 'bytes', ...more };
  if (req.headers['if-none-match'] === etag) return void res.writeHead(304, headers).end();
  const [, from] = /^bytes=(\d+)-$/.exec(req.headers.range ?? '') ?? [];
  const isSame = req.headers['if-range'] === undefined || req.headers['if-range'] === etag;
  if (from === undefined || !isSame) {
    return void res.writeHead(200, { ...headers, 'content-length': data.length }).end(data);
  }
  const rest = data.subarray(Number(from));
  if (rest.length === 0) return void res.writeHead(416, headers).end();
  const range = `bytes ${from}-${data.length - 1}/${data.length}`;
  res.writeHead(206, { ...headers, 'content-length': rest.length, 'content-range': range }).end(rest);
}

/** Announces everything, sends some of it and hangs up. */
export const cutAfter =
  (bytes: number, data: Buffer, etag: string): Answer =>
  (req, res) => {
    const from = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0);
    const rest = data.subarray(from);
    const range = from > 0 ? { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` } : {};
    res.writeHead(from > 0 ? 206 : 200, { etag, 'content-length': rest.length, ...range });
    // What comes with the end of a connection may be lost: a loaded machine gets time to read it.
    res.write(rest.subarray(0, bytes), () => setTimeout(() => res.destroy(), bytes > 0 ? 250 : 20));
  };
