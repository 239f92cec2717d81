/**
 * Other names of networks that are known: what a checkpoint's tensors are renamed by where its own names do not give the
 * whole model, and these do.
 */
import type { Rename } from './rename.js';

export interface Dialect {
  /** Whose names they are. */
  readonly name: string;
  readonly renames: readonly Rename[];
}

const dialect = (name: string, rules: readonly (readonly [RegExp, string])[]): Dialect => ({
  name,
  renames: rules.map(([pattern, replacement]) => ({ text: name, pattern, replacement })),
});

export const dialects: readonly Dialect[] = [
  // TensorFlow's ResNet as its converter to PyTorch nests it: stages 1 to 4, in a block convolutions and norms in turn.
  dialect('SimCLRv2', [
    [/\bnet\.0\.0\./g, 'conv1.'],
    [/\bnet\.0\.1\.0\./g, 'bn1.'],
    [/\bnet\.(\d)\.blocks\.(\d+)\./g, 'layer$1.$2.'],
    [/(layer\d\.\d+)\.net\.0\./g, '$1.conv1.'],
    [/(layer\d\.\d+)\.net\.1\.0\./g, '$1.bn1.'],
    [/(layer\d\.\d+)\.net\.2\./g, '$1.conv2.'],
    [/(layer\d\.\d+)\.net\.3\.0\./g, '$1.bn2.'],
    [/(layer\d\.\d+)\.net\.4\./g, '$1.conv3.'],
    [/(layer\d\.\d+)\.net\.5\.0\./g, '$1.bn3.'],
    [/\bprojection\.shortcut\./g, 'downsample.0.'],
    [/\bprojection\.bn\.0\./g, 'downsample.1.'],
  ]),
  // torchvision's first DenseNets.
  dialect('an older torchvision DenseNet', [[/\b(denselayer\d+\.(?:norm|conv))\.([12])\./g, '$1$2.']]),
];
