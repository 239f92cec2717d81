/**
 * The house of `src`, from the ground up: a room takes from the floors below it only. CONTRIBUTING.md says what each
 * room is for. `npm run lint` checks it; `npx depcruise src` names the file that breaks it.
 */
const floors = [
  ['errors', 'version', 'concurrency', 'machine', 'meant', 'statistics', 'page'],
  ['files', 'native', 'options'],
  ['weights', 'images'],
  ['fetch'],
  ['onnx'],
  ['model'],
  ['initialisation'],
  ['resets'],
  ['design', 'architectures'],
  ['plan', 'run'],
  ['engines', 'report', 'pick'],
  ['figures'],
  ['sweep', 'compare'],
  ['queue', 'request', 'doctor', 'measures'],
  ['study'],
  ['commands', 'index'],
  ['cli'],
];

/** Rooms inside rooms, likewise; what they all share (a room's own words) lies beside them. */
const inner = {
  images: { floors: [['pixels', 'cache'], ['sources'], ['labels'], ['parquet']], shared: 'input-error|imagenet|philox' },
  onnx: { floors: [['passes']], shared: 'graph|names|onnx_pb|shapes|tensors|value-info' },
};

const place = (room, folder = 'src') => `^${folder}/${room}(/|\\.ts$)`;
const anyOf = (rooms, folder) => rooms.map((room) => place(room, folder)).join('|') || '^$';

const downwards = floors.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    name: `${room}-takes-from-below-only`,
    severity: 'error',
    from: { path: place(room) },
    to: { path: anyOf([...rooms.filter((other) => other !== room), ...floors.slice(floor + 1).flat()]) },
  })),
);

const innerDownwards = Object.entries(inner).flatMap(([room, { floors, shared }]) =>
  floors.flatMap((rooms, floor) =>
    rooms.map((one) => ({
      name: `${room}-${one}-takes-from-below-only`,
      severity: 'error',
      from: { path: place(one, `src/${room}`) },
      to: {
        path: `${anyOf([...rooms.filter((other) => other !== one), ...floors.slice(floor + 1).flat()], `src/${room}`)}|^src/${room}/[^/]+$`,
        pathNot: `^src/${room}/(${shared})\\.ts$`,
      },
    })),
  ),
);

const all = floors.flat();

export default {
  forbidden: [
    ...downwards,
    ...innerDownwards,
    {
      name: 'every-file-has-a-room',
      comment: 'A new room gets its floor in .dependency-cruiser.mjs and its line in CONTRIBUTING.md.',
      severity: 'error',
      from: { path: '^src/', pathNot: anyOf(all) },
      to: {},
    },
    {
      name: 'the-browser-only-knows-its-document',
      comment: 'Files of src/page/ are bundled into one script for the page; these two are used on both sides.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/page/' },
      to: { path: '^src/page/', pathNot: '^src/page/(numbers|page-data)\\.ts$' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      comment: 'A file that nothing imports is an entry, or left over.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '^src/(cli|index|images/parquet/child|page/main)\\.ts$' },
      to: {},
    },
    {
      name: 'what-is-shipped-needs-no-development-dependency',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'found', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'plans-are-pure',
      comment: 'Only these ask the runtime: for its optimised graph, for shapes, for the rows of images, for folded values.',
      severity: 'error',
      from: { path: '^src/plan/', pathNot: '^src/plan/(optimised|shapes|image-rows|places|half)\\.ts$' },
      to: { path: '^src/native/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'onnxruntime-node-through-one-door',
      comment: 'src/native/onnxruntime-node.ts forbids it to send usage data first.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/native/onnxruntime-node\\.ts$' },
      to: { path: 'onnxruntime-node', pathNot: '^src/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'types'] },
  },
};
