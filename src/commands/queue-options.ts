/** Options that `critmap queue` and `critmap worker` share. */
import { CritmapError } from '../errors.js';
import { type Server, serverOf } from '../queue/server.js';
import { text } from './option-values.js';

export const redisOption = {
  redis: {
    ...text('redis'),
    group: 'Queue:',
    describe: 'The Redis or Valkey server: redis://HOST:PORT, rediss: for TLS (default: CRITMAP_REDIS_URL)',
  },
} as const;

/** @throws CritmapError (ERR_OPTION) without an address, or for a wrong one */
export function serverIn({ redis = process.env.CRITMAP_REDIS_URL }: { redis?: string | undefined }): Server {
  if (redis) return serverOf(redis);
  throw new CritmapError(
    'ERR_OPTION',
    '--redis is missing: give redis://HOST:PORT, or set CRITMAP_REDIS_URL',
  );
}
