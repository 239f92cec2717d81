/** Which layers a sweep takes a model to have, in a file of its own: the command line asks for it before it knows any model. */

/** What happens to the norm behind a layer that is reset. */
export const normChoices = ['keep', 'reset', 'with-layer'] as const;
export type NormChoice = (typeof normChoices)[number];

/** What `--include` adds. */
export const includable = ['norm'] as const;

export interface TargetChoice {
  /** Norms as layers of their own. */
  include?: (typeof includable)[number] | undefined;
  /** Fused queries, keys and values as three layers. */
  splitQkv?: boolean | undefined;
  /** `with-layer` has the norm right behind a layer take part in its resets. */
  norm?: NormChoice | undefined;
}
