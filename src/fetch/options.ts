/** What whoever has something fetched may say and see. */

export interface FetchProgress {
  /** As it was named, or the file of it. */
  what: string;
  /** Bytes that are there, also from before. */
  done: number;
  /** Null when the server does not say. */
  total: number | null;
}

export interface FetchOptions {
  /** Called as a file comes in: of what was named `hf:...` or `https:...` and is not there yet. */
  onFetch?: ((progress: FetchProgress) => void) | undefined;
  /** Stops it; what came in is kept and the next time goes on. */
  signal?: AbortSignal | undefined;
}

/** `HF_HUB_OFFLINE=1`: nothing is asked of any network, what is there is taken. */
export function isOffline(): boolean {
  const said = process.env.HF_HUB_OFFLINE || process.env.TRANSFORMERS_OFFLINE || '';
  return ['1', 'ON', 'YES', 'TRUE'].includes(said.toUpperCase());
}
