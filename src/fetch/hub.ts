/**
 * Repositories of the Hugging Face hub, by `@huggingface/hub`'s questions and into the hub's cache. Its own downloads
 * cannot go on where they ended, know no refs and share a name among processes, so that bytes come by download.ts.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CritmapError, some } from '../errors.js';
import { readRegular } from '../files/regular-file.js';
import { filesInIndex, isIndex, usualWeights, weightsAmong } from '../weights/folder.js';
import { cannotKeep, download } from './download.js';
import { fetchError, Unreachable } from './fetch-error.js';
import { discard, request, whole } from './http.js';
import { CachedRepository, hubHome, isCommit, isFile } from './hub-cache.js';
import { type FetchOptions, isOffline } from './options.js';
import { type HubWord, isTrusted, nameOfWord } from './words.js';

/** A file as the hub lists it; large ones lie beside git, in LFS. */
const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().min(0),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).nullish(),
});
type Entry = z.infer<typeof entrySchema>;

/** Says how images are prepared. */
const BESIDE = 'preprocessor_config.json';

/** What is no JSON is refused by who reads it. */
function isOfTransformers(config: string): boolean {
  try {
    const { model_type: type, architecture } = JSON.parse(config);
    return type !== undefined && architecture === undefined;
  } catch {
    return false;
  }
}

/** A name that is no path. */
const PLAIN = /^(?!\.{1,2}$)[^\\/\p{Cc}]+$/u;
const MOST_FILES = 100_000;
/** Pages of its list; the hub's have a thousand files. */
const MOST_QUESTIONS = 250;

interface Endpoint {
  url: string;
  token: { origin: string; value: string } | undefined;
}

export class Repository {
  /** Where it could not be asked whether something is still the newest, in words. */
  readonly warnings: string[] = [];
  readonly #cache: CachedRepository;
  #endpoint: Endpoint | undefined;
  #commit = '';
  #asked = 0;
  /** Why nothing more can be asked. */
  #away: CritmapError | undefined;
  #listed: Promise<Map<string, Entry>> | undefined;

  private constructor(
    private readonly word: HubWord,
    private readonly options: FetchOptions,
  ) {
    this.#cache = new CachedRepository(word.repository);
  }

  /** @throws CritmapError (ERR_FETCH) when there is no such revision, or nobody can say; the signal's reason */
  static async open({ place: _, file: __, ...word }: HubWord, options: FetchOptions): Promise<Repository> {
    const repository = new Repository(word, options);
    await repository.#resolve();
    return repository;
  }

  /** As it was named. */
  get what(): string {
    return nameOfWord(this.word);
  }

  /** `hf:OWNER/NAME@COMMIT`, which means the same for ever. */
  get pinned(): string {
    return nameOfWord({ ...this.word, revision: this.#commit });
  }

  get folder(): string {
    return this.#cache.snapshot(this.#commit);
  }

  async #resolve(): Promise<void> {
    const { repository: name, revision } = this.word;
    if (isOffline(this.options)) {
      this.#away = fetchError(
        this.what,
        `is not in ${this.#cache.root}, and nothing is fetched now (HF_HUB_OFFLINE)`,
      );
    }
    if (isCommit(revision)) {
      this.#commit = revision;
      return;
    }
    const before = await this.#cache.commitOf(revision);
    if (this.#away) {
      if (before === undefined) throw this.#away;
      this.#commit = before;
      return;
    }
    try {
      const [{ modelInfo }, common] = await this.#library();
      const info = await modelInfo({ ...common, name, revision, additionalFields: ['sha'] });
      const { sha } = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) }).parse(info);
      this.#commit = sha;
    } catch (error) {
      if (!(error instanceof Unreachable) || before === undefined) throw this.#strange(error);
      this.#away = error;
      this.#commit = before;
      this.warnings.push(`${error.message}; commit ${before.slice(0, 12)} from before is taken`);
      return;
    }
    await this.#cache.setCommit(revision, this.#commit);
  }

  /**
   * Where a file is; it is fetched if it is not there.
   * @throws CritmapError (ERR_FETCH) when the repository has no such file, or it cannot be fetched
   */
  async file(name: string): Promise<string> {
    const commit = this.#commit;
    const there = await this.#cache.path(commit, name);
    if (there !== undefined) return there;
    const what = `${this.what}/${name}`;
    if (this.#away) {
      throw isOffline(this.options)
        ? fetchError(what, this.#away.message.slice(this.what.length + 2))
        : this.#away;
    }
    const entry = await this.#entry(name);
    const { url: endpoint, token } = await this.#hub();
    const [etag, size] = [entry.lfs?.oid ?? entry.oid, entry.lfs?.size ?? entry.size];
    try {
      const blob = await this.#cache.blob(etag);
      if (!(await isFile(blob)) || (await stat(blob)).size !== size) {
        const steps = name.split('/').map(encodeURIComponent).join('/');
        const url = new URL(`${endpoint}/${this.word.repository}/resolve/${commit}/${steps}`);
        const kind = entry.lfs ? ('sha256' as const) : ('git' as const);
        const refusal = (response: Response) => this.#refusal(response, name);
        await download(blob, { what, url, token, size, digest: { kind, hex: etag }, refusal }, this.options);
      }
      return await this.#cache.link(commit, name, blob);
    } catch (error) {
      if (error instanceof CritmapError || this.options.signal?.aborted) throw error;
      throw cannotKeep(what, this.#cache.root, error);
    }
  }

  /**
   * `config.json`, and what stands beside it where that is transformers'.
   * @throws CritmapError as {@link file}
   */
  async config(): Promise<void> {
    const text = (await readRegular(await this.file('config.json'))).toString('utf8');
    if (!isOfTransformers(text)) return;
    const commit = this.#commit;
    const known = (await this.#cache.path(commit, BESIDE)) ?? (await this.#cache.lacks(commit, BESIDE));
    if (known || this.#away) return;
    if ((await this.#list()).has(BESIDE)) await this.file(BESIDE);
    else await this.#cache.setLacks(commit, BESIDE);
  }

  /**
   * The files of its weights: one, or those of an index.
   * @throws CritmapError: ERR_WEIGHTS when there are none, or several that could be meant; ERR_FETCH
   */
  async weights(): Promise<{ name: string; path: string }[]> {
    const name = await this.#weightsName();
    const path = await this.file(name);
    const names = isIndex(name) ? await filesInIndex(path) : [name];
    const files = [];
    for (const name of names) files.push({ name, path: await this.file(name) });
    return files;
  }

  async #weightsName(): Promise<string> {
    const commit = this.#commit;
    for (const name of usualWeights) {
      if (await this.#cache.path(commit, name)) return name;
      if (!(await this.#cache.lacks(commit, name))) break;
    }
    if (this.#away) {
      const names = await this.#cache.names(commit);
      if (names.length === 0) throw this.#away;
      return weightsAmong(names, this.what);
    }
    const names = [...(await this.#list()).keys()];
    const found = weightsAmong(names, this.what);
    for (const name of usualWeights) {
      if (name === found) break;
      await this.#cache.setLacks(commit, name);
    }
    return found;
  }

  async #entry(name: string): Promise<Entry> {
    const found = name.includes('/') ? await this.#ask(name) : (await this.#list()).get(name);
    if (found) return found;
    const others = name.includes('/') ? [] : [...(await this.#list()).keys()];
    const revision = `at revision ${this.word.revision}`;
    throw fetchError(
      this.what,
      `has no file ${name} ${revision}${others.length > 0 ? `; it has ${some(others)}` : ''}`,
    );
  }

  /** The files that lie in no folder of it. */
  #list(): Promise<Map<string, Entry>> {
    this.#listed ??= this.#readList().catch((error: unknown) => {
      throw this.#strange(error);
    });
    return this.#listed;
  }

  async #readList(): Promise<Map<string, Entry>> {
    const [{ listFiles }, common] = await this.#library();
    const files = new Map<string, Entry>();
    const { repository: repo } = this.word;
    for await (const listed of listFiles({ ...common, repo, revision: this.#commit, recursive: false })) {
      // Names become paths: no other may come from a server.
      if (listed.type !== 'file' || !PLAIN.test(listed.path)) continue;
      const entry = entrySchema.parse(listed);
      files.set(entry.path, entry);
      if (files.size > MOST_FILES) throw fetchError(this.what, `has more than ${MOST_FILES} files`);
    }
    return files;
  }

  async #ask(path: string): Promise<Entry | undefined> {
    try {
      const [{ pathsInfo }, common] = await this.#library();
      const { repository: repo } = this.word;
      const found = await pathsInfo({ ...common, repo, revision: this.#commit, paths: [path] });
      const entry = found.find((one) => one.path === path && one.type === 'file');
      return entry && entrySchema.parse(entry);
    } catch (error) {
      throw this.#strange(error);
    }
  }

  /** The library, loaded when it is needed, and what all its questions take. */
  async #library() {
    const { url: hubUrl, token } = await this.#hub();
    const library = await import('@huggingface/hub');
    const { signal } = this.options;
    const send: typeof fetch = async (input, init = {}) => {
      const url = new URL(String(input));
      if (!isTrusted(url)) throw fetchError(this.what, `${url.host} is not asked without encryption`);
      const headers = Object.fromEntries(new Headers(init.headers).entries());
      const body = typeof init.body === 'string' ? { body: init.body } : {};
      const method = init.method ?? 'GET';
      if (++this.#asked > MOST_QUESTIONS) throw fetchError(this.what, 'its list of files does not end');
      const response = await request(url, { what: this.what, headers, method, ...body, token, signal });
      if (response.ok) return whole(response, this.what, signal);
      const refused = this.#refusal(response);
      await discard(response);
      throw refused;
    };
    return [library, { hubUrl, fetch: send }] as const;
  }

  async #hub(): Promise<Endpoint> {
    this.#endpoint ??= await endpointOf(this.what);
    return this.#endpoint;
  }

  #refusal(response: Response, file?: string): CritmapError {
    const { status, headers } = response;
    const { repository, revision } = this.word;
    const code = headers.get('x-error-code') ?? '';
    const what = file === undefined ? this.what : `${this.what}/${file}`;
    const isRefused = status === 401 || status === 403;
    if (isRefused && code !== 'RepoNotFound') {
      const gated = code === 'GatedRepo' ? 'is gated' : 'may be private or gated, or not exist';
      return fetchError(
        what,
        `access is refused (status ${status}): ${repository} ${gated}; ask for access on its page, and set HF_TOKEN to a token of your account`,
      );
    }
    if (status === 404 || isRefused) {
      if (code === 'RevisionNotFound') return fetchError(what, `${repository} has no revision ${revision}`);
      const missing = file === undefined ? '' : `, or no file ${file} in it`;
      return fetchError(
        what,
        `there is no repository ${repository} with a revision ${revision}${missing} (status ${status}); if it is private, set HF_TOKEN`,
      );
    }
    return fetchError(what, `cannot be fetched (status ${status})`);
  }

  /** What the hub, or what stands in its place, answered is nothing that is understood. */
  #strange(error: unknown): unknown {
    this.options.signal?.throwIfAborted();
    if (error instanceof CritmapError) return error;
    return fetchError(
      this.what,
      `${this.#endpoint?.url ?? 'the hub'} does not answer as the Hugging Face hub does; check HF_ENDPOINT`,
      error,
    );
  }
}

async function endpointOf(what: string): Promise<Endpoint> {
  const url = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!URL.canParse(url) || !isTrusted(new URL(url)) || new URL(url).username) {
    throw fetchError(what, 'HF_ENDPOINT is no https: address');
  }
  const value = await tokenOf(what);
  return { url, token: value ? { origin: new URL(url).origin, value } : undefined };
}

/** Of the environment, else of the file that `hf auth login` writes. Never part of a message. */
async function tokenOf(what: string): Promise<string | undefined> {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN } = process.env;
  if (/^(1|on|yes|true)$/i.test(HF_HUB_DISABLE_IMPLICIT_TOKEN ?? '')) return undefined;
  const given = HF_TOKEN || HUGGING_FACE_HUB_TOKEN;
  const text = given ?? String(await readRegular(HF_TOKEN_PATH || join(hubHome(), 'token')).catch(() => ''));
  const token = text.replace(/[\r\n]/g, '').trim();
  if (token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw fetchError(what, 'HF_TOKEN holds what no token holds; set it again');
  return token;
}
