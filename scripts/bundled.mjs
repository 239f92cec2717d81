/** Packages that come in many files, or of which little is used, and go into `dist` (scripts/bundle.mjs). */
export const BUNDLED = [
  '@bufbuild/protobuf',
  'brace-expansion',
  'fastest-levenshtein',
  'hyparquet',
  'hyparquet-compressors',
  'hyparquet-writer',
  'papaparse',
  'vega',
  'vega-lite',
  'yaml',
  'yargs',
  'yauzl',
  'zod',
];

/** Of these the ones that critmap's own types speak of: they are installed all the same. */
export const TYPED = ['@bufbuild/protobuf', 'zod'];
