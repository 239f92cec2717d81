/** Where a queue lives: a Redis or Valkey server, how it is reached, and whether it is fit to be one. */
import { Redis } from 'ioredis';
import { CritmapError, messageOf } from '../errors.js';
import type { Server } from './server.js';

/** All keys begin with it. */
export const PREFIX = 'critmap';

export interface Hooks {
  /** The server went away or came back, in words. */
  onConnection: (message: string) => void;
  /** How the server lists us. */
  connectionName?: string;
}

/** Connections to one server, which are made again whenever they are lost. */
export interface Connection {
  client: Redis;
  /** One more, for commands that block. */
  duplicate(): Redis;
  /** When the server came back last, by `performance.now()`. */
  backMs: number;
  /** Ends all of them. What waits for a server that is away is rejected soon. */
  leave(): void;
}

const LONGEST_PAUSE_MS = 2000;

/**
 * @throws CritmapError (ERR_QUEUE) where nobody answers at first, or the server does not let us in
 */
export async function connect(
  { options, place }: Server,
  { onConnection, connectionName }: Hooks,
): Promise<Connection> {
  let isLeaving = false;
  // Between two attempts ioredis keeps what waits, whatever it is told: only here it lets go.
  const retryStrategy = (attempt: number) => (isLeaving ? null : Math.min(LONGEST_PAUSE_MS, 50 * attempt));
  const client = new Redis({
    ...options,
    ...(connectionName && { connectionName }),
    retryStrategy,
    lazyConnect: true,
  });
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
    if (!isLost) return;
    isLost = false;
    connection.backMs = performance.now();
    onConnection(`Redis at ${place} is back`);
  });
  const connection: Connection = {
    client,
    backMs: Number.NEGATIVE_INFINITY,
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
  return connection;
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
