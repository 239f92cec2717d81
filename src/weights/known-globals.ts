/**
 * The names that a checkpoint's pickle may refer to. Python would import and call them; here they are only compared
 * with these lists, so that nothing of a file can be executed, whatever it names:
 *
 * - names that rebuild tensors and containers have a builder, which makes the value from its arguments;
 * - classes that real checkpoints hold beside their tensors (arguments, NumPy numbers, settings, schedules) become
 *   records: a name with its content, never an object. They are here because they are known to be plain data;
 * - every other name becomes a record too, an inert one: weights are not looked for in it;
 * - names that start programs or reach for the system are refused: no checkpoint needs them, and a file that has one was
 *   made to attack whoever opens it in Python.
 */

import { quoted } from '../errors.js';
import { type ElementType, elementTypes } from './element-types.js';
import {
  damaged,
  PickledTensor,
  PickleError,
  PickleGlobal,
  PickleRecord,
  type PickleValue,
  TypedStorage,
} from './pickle-values.js';
import { storedTensor } from './stored-tensor.js';

type Builder = (args: readonly PickleValue[]) => PickleValue;

/** torch.FloatStorage and the like, with the type of their elements. */
const storageTypes: ReadonlyMap<string, string> = new Map([
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['DoubleStorage', 'float64'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['ComplexFloatStorage', 'complex64'],
  ['ComplexDoubleStorage', 'complex128'],
  ['QInt8Storage', 'qint8'],
  ['QUInt8Storage', 'quint8'],
  ['QInt32Storage', 'qint32'],
]);

const UNTYPED_STORAGE = 'torch.storage.UntypedStorage';

/** Classes and functions whose instances are plain data that no tensor of a model depends on. */
const records = [
  ...[
    'dtype',
    'ndarray',
    'bool_',
    'float16',
    'float32',
    'float64',
    'int32',
    'int64',
    'core.multiarray.scalar',
  ],
  ...['core.multiarray._reconstruct', 'core.numeric._frombuffer'],
  ...[
    'Float16DType',
    'Float32DType',
    'Float64DType',
    'Int8DType',
    'Int16DType',
    'Int32DType',
    'Int64DType',
  ].map((name) => `dtypes.${name}`),
  ...['UInt8DType', 'BoolDType', 'StrDType', 'BytesDType'].map((name) => `dtypes.${name}`),
]
  .map((name) => `numpy.${name}`)
  .concat([
    ...['bool', 'bytearray', 'bytes', 'complex', 'float', 'int', 'object', 'range', 'slice', 'str'].map(
      (name) => `builtins.${name}`,
    ),
    // Python 2's.
    ...['long', 'unicode', 'xrange'].map((name) => `builtins.${name}`),
    '_codecs.encode',
    'argparse.Namespace',
    'collections.Counter',
    'collections.deque',
    'copyreg._reconstructor',
    ...['date', 'datetime', 'time', 'timedelta', 'timezone'].map((name) => `datetime.${name}`),
    'decimal.Decimal',
    'fractions.Fraction',
    ...['Path', 'PosixPath', 'PurePath', 'PurePosixPath', 'PureWindowsPath', 'WindowsPath'].flatMap(
      (name) => [`pathlib.${name}`, `pathlib._local.${name}`],
    ),
    'types.SimpleNamespace',
    'uuid.UUID',
    // PyTorch's own.
    'torch.Tensor',
    'torch.device',
    'torch.nn.parameter.Parameter',
    'torch.serialization._get_layout',
    ...['CosineAnnealingLR', 'LambdaLR', 'MultiStepLR', 'OneCycleLR', 'StepLR'].map(
      (name) => `torch.optim.lr_scheduler.${name}`,
    ),
    'torch.optim.sgd.SGD',
    // What training frameworks keep their settings in.
    'addict.addict.Dict',
    'easydict.EasyDict',
    'fastargs.config.Config',
    'fvcore.common.config.CfgNode',
    'ml_collections.config_dict.config_dict.ConfigDict',
    'mmengine.config.config.ConfigDict',
    'mmcv.utils.config.ConfigDict',
    'munch.Munch',
    ...[
      'base.ContainerMetadata',
      'base.Metadata',
      'base.Node',
      'dictconfig.DictConfig',
      'listconfig.ListConfig',
    ].map((name) => `omegaconf.${name}`),
    ...['AnyNode', 'BooleanNode', 'FloatNode', 'IntegerNode', 'StringNode'].map(
      (name) => `omegaconf.nodes.${name}`,
    ),
    ...['pytorch_lightning', 'lightning.pytorch', 'lightning_fabric', 'lightning.fabric'].map(
      (name) => `${name}.utilities.${name.includes('fabric') ? 'data' : 'parsing'}.AttributeDict`,
    ),
    ...[
      'model_checkpoint.ModelCheckpoint',
      'early_stopping.EarlyStopping',
      'lr_monitor.LearningRateMonitor',
    ].map((name) => `pytorch_lightning.callbacks.${name}`),
    'pytorch_lightning.callbacks.gradient_accumulation_scheduler.GradientAccumulationScheduler',
    'typing.Any',
    'yacs.config.CfgNode',
  ]);

const builders: readonly (readonly [string, Builder])[] = [
  ['collections.OrderedDict', orderedDict],
  ['builtins.dict', orderedDict],
  ['collections.defaultdict', () => new Map()],
  ['builtins.list', sequence],
  ['builtins.tuple', sequence],
  ['builtins.set', sequence],
  ['builtins.frozenset', sequence],
  ['torch.Size', sequence],
  ['torch._utils._rebuild_tensor', (args) => rebuild(args)],
  ['torch._utils._rebuild_tensor_v2', (args) => rebuild(args)],
  ['torch._utils._rebuild_tensor_v3', (args) => rebuild(args, typeNamed(args[6]))],
  ['torch._utils._rebuild_parameter', first],
  ['torch._utils._rebuild_parameter_with_state', first],
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
];

const known: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    ...builders.map(([name, build]) => new PickleGlobal(name, build)),
    ...records.map((name) => new PickleGlobal(name)),
    ...[...storageTypes.keys()].flatMap((name) => [
      new PickleGlobal(`torch.${name}`),
      new PickleGlobal(`torch.cuda.${name}`),
    ]),
    ...[...elementTypes.keys()].map((name) => new PickleGlobal(`torch.${name}`)),
    ...[UNTYPED_STORAGE, 'torch.storage.TypedStorage', 'torch.storage._TypedStorage'].map(
      (name) => new PickleGlobal(name),
    ),
  ].map((one) => [one.name, one]),
);

/** Of an unknown name, what is kept. */
const LONGEST_NAME = 200;

/** Modules that were renamed. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
  ['numpy._core.multiarray', 'numpy.core.multiarray'],
  ['numpy._core.numeric', 'numpy.core.numeric'],
]);

/** Modules and functions of Python that files made to attack name; what the pickle of plain data never does. */
const attacks =
  /^((os|posix|nt|subprocess|commands|popen2|pty|runpy|code|codeop|pdb|bdb|socket|shutil|ctypes|_ctypes|importlib|imp|webbrowser|pip|signal|multiprocessing)(\..*)?|builtins\.(eval|exec|execfile|compile|open|file|input|breakpoint|__import__)|(.*\.)?(eval|exec|system|popen|Popen|spawn\w*|check_output|check_call))$/;

/** @throws PickleError for a name that only an attack has a use for */
export function knownGlobal(module: string, name: string): PickleGlobal {
  const full = `${renamed.get(module) ?? module}.${name}`;
  const found = known.get(full);
  if (found) return found;
  if (attacks.test(full)) {
    throw new PickleError(
      `it names ${quoted(`${module}.${name}`)}, which no checkpoint needs and an attack does; nothing was executed`,
      'do not open it in Python, and get the checkpoint from somewhere else',
    );
  }
  return new PickleGlobal(full.slice(0, LONGEST_NAME), undefined, false);
}

/** Element type of a storage's class; null for bytes without one. */
export function storageType(global: PickleValue | undefined): ElementType | null {
  if (global instanceof PickleGlobal) {
    if (global.name === UNTYPED_STORAGE) return null;
    const name = storageTypes.get(global.name.replace(/^torch\.(cuda\.)?/, ''));
    const type = name === undefined ? undefined : elementTypes.get(name);
    if (type) return type;
  }
  throw damaged('a storage of an unknown class');
}

/** `OrderedDict()`, or of a list of pairs. */
function orderedDict([pairs]: readonly PickleValue[]): PickleValue {
  if (pairs === undefined) return new Map();
  if (pairs instanceof Map) return pairs;
  if (!Array.isArray(pairs)) throw damaged('a dict of no pairs');
  return new Map(
    pairs.map((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw damaged('a dict of no pairs');
      return pair as [PickleValue, PickleValue];
    }),
  );
}

function sequence([items]: readonly PickleValue[]): PickleValue {
  return Array.isArray(items) ? items : [];
}

function first([value]: readonly PickleValue[]): PickleValue {
  if (value === undefined) throw damaged('a parameter without a tensor');
  return value;
}

/** A tensor of a subclass or with attributes: (function, type, arguments of the function, attributes). */
function rebuildFromType([make, , args]: readonly PickleValue[]): PickleValue {
  if (make instanceof PickleGlobal && !make.isKnown)
    return new PickleRecord(make.name, [args ?? null], false);
  const build = make instanceof PickleGlobal && make.name.startsWith('torch._utils._rebuild_') && make.build;
  if (!build || !Array.isArray(args)) throw damaged('a tensor is made by what does not make tensors');
  return build(args);
}

/** (storage, offset, shape, strides, ...), in elements. */
function rebuild([from, offset, shape, strides]: readonly PickleValue[], type?: ElementType): PickleValue {
  if (!(from instanceof TypedStorage) || typeof offset !== 'number' || !Array.isArray(shape)) {
    throw damaged('a tensor without storage or shape');
  }
  const elements = type ?? from.type;
  if (!elements) throw damaged('a tensor without element type');
  const made = storedTensor({
    type: elements,
    shape: shape as number[],
    strides: (Array.isArray(strides) ? strides : []) as number[],
    offset: offset + from.offset,
    storage: from.storage,
  });
  if (typeof made === 'string') throw damaged(`a tensor ${made}`);
  return new PickledTensor(made);
}

function typeNamed(global: PickleValue | undefined): ElementType | undefined {
  const type =
    global instanceof PickleGlobal ? elementTypes.get(global.name.replace(/^torch\./, '')) : undefined;
  if (!type) throw damaged('a tensor of an unknown element type');
  return type;
}
