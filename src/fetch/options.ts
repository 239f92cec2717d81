/** What whoever has something fetched may say and see. */

export interface FetchProgress {
  /** As it was named, or the file of it. */
  what: string;
  /** Bytes that are there, also from before. */
  done: number;
  /** Null when the server does not say. */
  total: number | null;
}

/** For files that are named by their address. */
export interface FetchOptions {
  /** Called as a file comes in: of what was named `hf:...` or `https:...` and is not there yet. */
  onFetch?: ((progress: FetchProgress) => void) | undefined;
  /** Stops it; what came in is kept and the next time goes on. */
  signal?: AbortSignal | undefined;
  /** Nothing is asked of any network, what is there is taken; default what `HF_HUB_OFFLINE` says. */
  offline?: boolean | undefined;
}

/** Of a script; see `refuseMisuse`. */
export const fetchOptions = { onFetch: 'function', signal: 'signal', offline: 'boolean' } as const;

export function isOffline({ offline }: FetchOptions): boolean {
  if (offline !== undefined) return offline;
  const said = process.env.HF_HUB_OFFLINE || process.env.TRANSFORMERS_OFFLINE || '';
  return ['1', 'ON', 'YES', 'TRUE'].includes(said.toUpperCase());
}
