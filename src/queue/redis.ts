/** Where a queue lives: a Redis or Valkey server, how it is reached, and whether it is fit to be one. */
import { Redis, type RedisOptions } from 'ioredis';
import { CritmapError, messageOf } from '../errors.js';

/** All keys begin with it. */
export const PREFIX = 'critmap';

export interface Server {
  options: RedisOptions;
  /** Host, port and database; never a name or a password. */
  place: string;
}

const refuse = (why: string) => new CritmapError('ERR_OPTION', `--redis ${why}`);

/**
 * @param url `redis://[user:password@]host[:port][/database]`, or `rediss:` for TLS
 * @param env `CRITMAP_REDIS_USERNAME` and `CRITMAP_REDIS_PASSWORD` stand in for those that the URL does not have
 * @throws CritmapError (ERR_OPTION); what it says has no password in it
 */
export function serverOf(url: string, env: NodeJS.ProcessEnv = process.env): Server {
  let parsed: URL;
  try {
    parsed = new URL(url.includes('://') ? url : `redis://${url}`);
  } catch {
    throw refuse('is not an address; give redis://host:6379');
  }
  const { protocol, hostname, port, pathname } = parsed;
  if (protocol !== 'redis:' && protocol !== 'rediss:') {
    throw refuse(`begins with ${protocol}//; give redis://host:6379, or rediss: for TLS`);
  }
  const database = pathname.replace(/^\//, '');
  if (!/^\d*$/.test(database)) throw refuse(`names the database ${database}; it is a number`);
  if (hostname === '') throw refuse('names no host; give redis://host:6379');
  const username = decodeURIComponent(parsed.username) || env.CRITMAP_REDIS_USERNAME;
  const password = decodeURIComponent(parsed.password) || env.CRITMAP_REDIS_PASSWORD;
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    place: `${hostname}:${port || 6379}${database && database !== '0' ? `/${database}` : ''}`,
    options: {
      host,
      port: Number(port || 6379),
      db: Number(database || 0),
      ...(username && { username }),
      ...(password && { password }),
      ...(protocol === 'rediss:' && { tls: { servername: host } }),
      // Blocking commands wait for a server that is away instead of failing.
      maxRetriesPerRequest: null,
    },
  };
}

export interface Hooks {
  /** The server went away or came back, in words. */
  onConnection: (message: string) => void;
}

/** Connections to one server, which are made again whenever they are lost. */
export interface Connection {
  client: Redis;
  /** One more, for commands that block. */
  duplicate(): Redis;
  /** Ends all of them. What waits for a server that is away is rejected soon. */
  leave(): void;
}

const LONGEST_PAUSE_MS = 2000;

/**
 * @throws CritmapError (ERR_QUEUE) where nobody answers at first, or the server does not let us in
 */
export async function connect({ options, place }: Server, { onConnection }: Hooks): Promise<Connection> {
  let isLeaving = false;
  // Between two attempts ioredis keeps what waits, whatever it is told: only here it lets go.
  const retryStrategy = (attempt: number) => (isLeaving ? null : Math.min(LONGEST_PAUSE_MS, 50 * attempt));
  const client = new Redis({ ...options, retryStrategy, lazyConnect: true });
  const all = [client];
  let isLost = false;
  let why = '';
  client.on('error', (error: Error) => {
    why = messageOf(error);
    // A password that was changed does not come back by waiting.
    if (/WRONGPASS|NOAUTH|NOPERM/.test(why)) onConnection(`Redis at ${place} refuses us: ${why}`);
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    client.disconnect();
    throw new CritmapError('ERR_QUEUE', `cannot use Redis at ${place}: ${why || messageOf(error)}`, {
      cause: error,
    });
  }
  client.on('close', () => {
    if (!isLost && client.status !== 'end') onConnection(`Redis at ${place} is away; waiting for it`);
    isLost = true;
  });
  client.on('ready', () => {
    if (isLost) onConnection(`Redis at ${place} is back`);
    isLost = false;
  });
  return {
    client,
    duplicate() {
      const other = client.duplicate();
      other.on('error', () => {});
      all.push(other);
      return other;
    },
    leave() {
      isLeaving = true;
      for (const one of all) if (one.status === 'ready') one.disconnect();
    },
  };
}

/**
 * What a server must be for a queue: one that forgets keys when it is full would lose jobs.
 * @returns warnings
 * @throws CritmapError (ERR_QUEUE)
 */
export async function checkServer(client: Redis, { place }: Server): Promise<string[]> {
  const info = await client.info();
  const fieldOf = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const policy = fieldOf('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction') {
    throw new CritmapError(
      'ERR_QUEUE',
      `Redis at ${place} forgets keys when its memory is full (maxmemory-policy ${policy}), and with them jobs; set maxmemory-policy noeviction`,
    );
  }
  const isAppending = fieldOf('aof_enabled') === '1';
  if (isAppending) return [];
  return [
    `Redis at ${place} keeps no append-only file (appendonly no): if it is killed, results that were on their way are computed again`,
  ];
}
