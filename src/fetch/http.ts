/**
 * One request as everything here makes it: over encrypted connections only, redirects included; a token goes to the
 * host that it is for and to no other; a server that is busy is asked again a few times, at its own pace.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CritmapError, messageOf } from '../errors.js';
import { fetchError, Unreachable } from './fetch-error.js';
import { isTrusted } from './words.js';

export interface Ask {
  /** As messages call it. */
  what: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Sent to this origin only. */
  token?: { origin: string; value: string } | undefined;
  signal?: AbortSignal | undefined;
}

const MOST_REDIRECTS = 10;
/** Of a server that answers, but not with what it is asked for. */
const BUSY_TRIES = 5;
/** Of one that does not answer. */
const SILENT_TRIES = 3;
/** Seconds for an answer to begin. */
const ANSWER_S = 60;
/** Seconds that a server may ask to be left alone for. */
const LONGEST_WAIT_S = 120;

/**
 * The answer, whatever it says but that the server is busy or ill.
 * @throws CritmapError (ERR_FETCH): {@link Unreachable} after several tries, or a redirect that leads astray; the
 *   signal's reason
 */
export async function request(url: URL, ask: Ask): Promise<Response> {
  for (let failures = 1; ; failures++) {
    let seconds = backoff(failures);
    try {
      const response = await follow(url, ask);
      const { status } = response;
      if (status !== 429 && status < 500) return response;
      await discard(response);
      const asked = retryAfter(response);
      if (asked !== undefined && asked > LONGEST_WAIT_S) {
        throw new Unreachable(
          ask.what,
          `${url.host} is busy (status ${status}) for another ${asked} s; try again then`,
        );
      }
      if (failures >= BUSY_TRIES) {
        throw new Unreachable(
          ask.what,
          `${url.host} is busy or out of order (status ${status}, ${failures} times); try again later`,
        );
      }
      seconds = asked ?? seconds;
    } catch (thrown) {
      ask.signal?.throwIfAborted();
      if (thrown instanceof CritmapError) throw thrown;
      if (failures >= SILENT_TRIES) throw silent(url, ask.what, thrown);
    }
    await pause(seconds, ask.signal);
  }
}

/** Seconds, doubled each time. */
export const backoff = (failures: number) => Math.min(8, 0.25 * 2 ** (failures - 1));

/** @throws the signal's reason */
export async function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(1000 * seconds, undefined, { ...(signal && { signal }) }).catch((thrown: unknown) => {
    signal?.throwIfAborted();
    throw thrown;
  });
}

/** Redirects by hand: fetch's own would follow to anywhere. */
async function follow(start: URL, ask: Ask): Promise<Response> {
  let [url, method, body] = [start, ask.method ?? 'GET', ask.body];
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await answer(url, { ...ask, method, body: body ?? '' });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || response.status === 304 || location === null) {
      return response;
    }
    await discard(response);
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    // From elsewhere nothing leads to this machine's own servers.
    const isAllowed = next && isTrusted(next) && (next.protocol === 'https:' || start.protocol === 'http:');
    if (!isAllowed || next.username || next.password) {
      throw fetchError(ask.what, `${url.host} redirects to an address that is not https:, which is refused`);
    }
    if (response.status < 307) [method, body] = ['GET', undefined];
    url = next;
  }
  throw fetchError(ask.what, `${start.host} redirects for ever`);
}

async function answer(url: URL, { headers, method, body, token, signal }: Ask): Promise<Response> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(
    () => controller.abort(new Error(`no answer within ${ANSWER_S} s`)),
    1000 * ANSWER_S,
  );
  try {
    return await fetch(url, {
      method: method ?? 'GET',
      headers: {
        // What is counted and hashed are the file's own bytes.
        'accept-encoding': 'identity',
        'user-agent': 'critmap',
        ...headers,
        ...(token && token.origin === url.origin && { authorization: `Bearer ${token.value}` }),
      },
      ...(body ? { body } : {}),
      redirect: 'manual',
      signal: controller.signal,
    });
  } finally {
    // Whoever reads the answer stops when the signal says so.
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Bytes of an answer that is read whole; the hub's lists have less than a megabyte. */
const MOST_BYTES = 2 ** 26;

/**
 * The same answer when all of it is there.
 * @throws CritmapError (ERR_FETCH) when it is too long, or takes too long; the signal's reason
 */
export async function whole(
  response: Response,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  const late = AbortSignal.timeout(1000 * ANSWER_S);
  const stopped = aborted(AbortSignal.any([...(signal ? [signal] : []), late]));
  let bytes = 0;
  try {
    signal?.throwIfAborted();
    while (reader) {
      const part = await Promise.race([reader.read(), stopped]);
      if (part.done) break;
      bytes += part.value.length;
      if (bytes > MOST_BYTES) throw fetchError(what, `the answer is longer than ${MOST_BYTES} bytes`);
      parts.push(part.value);
    }
  } catch (thrown) {
    signal?.throwIfAborted();
    if (thrown instanceof CritmapError) throw thrown;
    throw new Unreachable(what, `cannot be fetched: ${reasonOf(thrown)}`, thrown);
  } finally {
    void reader?.cancel().catch(() => {});
  }
  const { status, statusText, headers } = response;
  return new Response(reader ? Buffer.concat(parts) : null, { status, statusText, headers });
}

function aborted(signal: AbortSignal): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    const late = () => reject(new Error(`the answer did not end within ${ANSWER_S} s`));
    signal.addEventListener('abort', late, { once: true });
  });
  // Nobody waits for it any more when the answer is there.
  promise.catch(() => {});
  return promise;
}

/** So that the connection is free again. */
export const discard = (response: Response) => response.body?.cancel().catch(() => {});

/** Seconds, of a number or a date. */
function retryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after')?.trim();
  if (!text) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

const REASONS: Record<string, string> = {
  ENOTFOUND: 'there is no such host, or no network',
  EAI_AGAIN: 'its name cannot be looked up: there is no network',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'it cannot be reached',
  ECONNREFUSED: 'it refuses connections',
  ECONNRESET: 'it cut the connection',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_SOCKET: 'it cut the connection',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
};

function silent({ host }: URL, what: string, thrown: unknown): Unreachable {
  return new Unreachable(what, `cannot be fetched from ${host}: ${reasonOf(thrown)}`, thrown);
}

/** Of what fetch throws. */
export function reasonOf(thrown: unknown): string {
  const { cause } = thrown as { cause?: unknown };
  const { code } = (cause ?? thrown) as { code?: unknown };
  return (typeof code === 'string' && REASONS[code]) || messageOf(cause ?? thrown);
}
