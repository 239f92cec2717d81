/** What a file of labels is read for, and what is read from it. */

/** The images that labels are for. */
export interface LabelledImages {
  /** As the user wrote it. */
  readonly name: string;
  readonly total: number;
  /** Relative paths; null when images have none. */
  readonly names: readonly string[] | null;
}

export interface FileLabels {
  /** Of the sample. */
  readonly labels: Int32Array;
  /** Names of all classes by index, where the file has names. */
  readonly classNames: readonly string[] | null;
  /** What the file was taken for, one line. */
  readonly understood: string;
}
