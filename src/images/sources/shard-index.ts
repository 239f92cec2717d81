/** Images of several shards under one index: first those of the first shard, then those of the second, and so on. */

export interface ShardIndex<Shard> {
  /** Images in all shards. */
  readonly total: number;
  /** The shard of image `index`, and its position in it. */
  locate(index: number): { shard: Shard; at: number };
}

/** @param countOf - images in a shard, which may be none */
export function shardIndex<Shard>(
  shards: readonly Shard[],
  countOf: (shard: Shard) => number,
): ShardIndex<Shard> {
  const starts: number[] = [];
  let total = 0;
  for (const shard of shards) {
    starts.push(total);
    total += countOf(shard);
  }
  const locate = (index: number) => {
    // The last that starts here is the one that is not empty.
    const position = starts.findLastIndex((start) => start <= index);
    return { shard: shards[position]!, at: index - starts[position]! };
  };
  return { total, locate };
}
