/** The labels of a sample: the source's own or a file's, made to fit the model's outputs. */
import { imagenetOutput, imagenetSynsets } from './imagenet.js';
import { imageError } from './input-error.js';
import { isLabelFile } from './labels/option.js';
import { readLabelFile } from './labels/read-label-file.js';
import type { ImageOptions } from './options.js';
import type { ImageSource } from './sources/source.js';

export interface SampleLabels {
  /** One class index per image of the sample; null when there are none. */
  readonly labels: Int32Array | null;
  /** Names of all classes by index. */
  readonly classNames: readonly string[] | null;
  /** What a file of labels was taken for, one line; null without one. */
  readonly understood: string | null;
}

/** @throws CritmapError ERR_IMAGES when a file of labels does not fit the images */
export async function labelSample(
  source: ImageSource,
  name: string,
  {
    labels: option,
    labelColumns: columns,
    classes,
  }: Pick<ImageOptions, 'labels' | 'labelColumns' | 'classes'>,
  indices: Uint32Array,
  warn: (message: string) => void,
): Promise<SampleLabels> {
  if (option === 'none') return { labels: null, classNames: null, understood: null };
  if (isLabelFile(option)) {
    const { total, names } = source;
    const read = await readLabelFile(option, { name, total, names }, indices, { outputs: classes, columns });
    if (!read.classNames) refuseCountedFromOne(option, read.labels, classes);
    else if (classes !== undefined) warnOfOtherClasses(option, read.classNames, classes, warn);
    return read;
  }
  const understood = null;
  const { classNames } = source;
  const labels = source.labels && Int32Array.from(indices, (index) => source.labels![index]!);
  if (labels && classNames) refuseNameless(source, labels, classNames, indices);
  if (!labels || !classNames || classes === undefined) return { labels, classNames, understood };
  if (
    classes === imagenetSynsets.length &&
    classNames.every((synset) => imagenetOutput(synset) !== undefined)
  ) {
    const outputs = classNames.map((synset) => imagenetOutput(synset)!);
    return { labels: labels.map((label) => outputs[label]!), classNames: imagenetSynsets, understood };
  }
  warnOfOtherClasses(name, classNames, classes, warn);
  return { labels, classNames, understood };
}

function refuseNameless(
  source: ImageSource,
  labels: Int32Array,
  classNames: readonly string[],
  indices: Uint32Array,
): void {
  const at = labels.findIndex((label) => label >= classNames.length);
  if (at === -1) return;
  throw imageError(
    source.nameOf(indices[at]!),
    `is of class ${labels[at]}, and there are names for ${classNames.length} classes`,
    'correct its class, or give --labels FILE or --labels none',
  );
}

function warnOfOtherClasses(
  name: string,
  classNames: readonly string[],
  classes: number,
  warn: (message: string) => void,
): void {
  const remedy = "give --labels FILE with the model's own class indices, or --labels none";
  if (classNames.length !== classes) {
    warn(
      `${name} has ${classNames.length} classes (${classNames.slice(0, 3).join(', ')}${classNames.length > 3 ? ', ...' : ''}), the model ${classes} outputs: class k is compared with output k, so accuracies mean nothing unless the model was trained so; ${remedy}`,
    );
    return;
  }
  const misplaced = classNames.findIndex((text, label) => /^\d+$/.test(text) && Number(text) !== label);
  if (misplaced !== -1 && classNames.every((text) => /^\d+$/.test(text))) {
    warn(
      `${name}: class folders are taken in sorted order, as torchvision does, so folder ${classNames[misplaced]} is class ${misplaced}; pad the numbers with zeros, or ${remedy}`,
    );
  }
}

/** A whole file of labels from 1 up would be wrong by one everywhere and only look like a bad model. */
function refuseCountedFromOne(file: string, labels: Int32Array, classes: number | undefined): void {
  if (classes === undefined || labels.length < classes) return;
  const lowest = labels.reduce((least, label) => Math.min(least, label), Number.POSITIVE_INFINITY);
  const highest = labels.reduce((most, label) => Math.max(most, label), 0);
  if (lowest === 1 && highest === classes) {
    throw imageError(
      file,
      `class indices run from 1 to ${classes}, the model's from 0 to ${classes - 1}`,
      "subtract 1 (ImageNet's own numbers are read from a file called ILSVRC2012_validation_ground_truth.txt)",
    );
  }
}
