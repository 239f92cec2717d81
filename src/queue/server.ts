/** The address of a queue's server: a Redis or Valkey server. */
import type { RedisOptions } from 'ioredis';
import { CritmapError } from '../errors.js';

export interface Server {
  options: RedisOptions;
  /** Host, port and database; never a name or a password. */
  place: string;
  /** Its URL, likewise without them. */
  address: string;
}

/** An answer that has not come after so long does not come on this connection. */
const SILENCE_MS = 30_000;

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
  const place = `${hostname}:${port || 6379}${database && database !== '0' ? `/${database}` : ''}`;
  return {
    place,
    address: `${protocol}//${place}`,
    options: {
      host,
      port: Number(port || 6379),
      db: Number(database || 0),
      ...(username && { username }),
      ...(password && { password }),
      ...(protocol === 'rediss:' && { tls: { servername: host } }),
      // Blocking commands wait for a server that is away instead of failing.
      maxRetriesPerRequest: null,
      // A machine that loses power, or a gateway that forgets, closes no connection.
      socketTimeout: SILENCE_MS,
    },
  };
}
