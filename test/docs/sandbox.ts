/**
 * A folder in which the commands of the documentation run as they stand. What its reader has is stood in for by the
 * demo's models and images:
 *
 * | on the pages | here |
 * |---|---|
 * | `resnet50.onnx`, `m.onnx`, `trained.onnx`, `convit_tiny.onnx` | the demo's network, 18 layers on 28 x 28 pixels |
 * | `init.onnx` | the same before its training |
 * | `vit.onnx` | a small vision transformer of the fixtures |
 * | `imagenet/val`, `val`, `train` | 16 of the demo's images, in a folder for each class |
 * | `init.safetensors`, `init.pth`, `fresh-N.safetensors`, `checkpoints/step-N.safetensors` | networks between the demo's and its start |
 * | `--arch resnet50`, `resnet50_augmix.pth.tar` | `--arch resnet18 --size 64`, random weights for it |
 * | `study.yaml` | two of the demo's models on two sets of images |
 * | `redis://localhost:6379` | a server on a port of its own |
 * | `runs/resnet50`, `studies/mine` | a sweep and a study of these |
 * | `results.csv`, `r50_categories.json`, `accuracies.json` | a table of three models in the published columns |
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import sharp from 'sharp';
import { buildModel } from '../../src/architectures/build.js';
import { openImages } from '../../src/images/index.js';
import { ModelSchema, type Tensor } from '../../src/onnx/onnx_pb.js';
import { dimensions, FLOAT, floats } from '../../src/onnx/tensors.js';
import { example, fixture } from '../fixtures.js';
import { freePort } from '../free-port.js';
import { bytesOf, npy } from '../images/build-files.js';
import { root } from './pages.js';

const SIZE = 28;
const IMAGES = 16;
const PREPARED = ['runs/resnet50', 'studies/mine'];

/** Of a block that ran. */
export interface Ended {
  code: number | null;
  output: string;
}

export interface Sandbox {
  /** A folder of a page's own; results that the page makes itself are not there yet. */
  folderFor(page: string, texts: readonly string[]): string;
  /** Runs a program there, without input, for two minutes at most. */
  run(folder: string, program: string, words: readonly string[]): Promise<Ended>;
}

export async function makeSandbox(directory: string): Promise<Sandbox> {
  const base = join(directory, 'base');
  const put = (name: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(base, name)), { recursive: true });
    writeFileSync(join(base, name), content);
  };
  const link = (name: string, to: string) => {
    mkdirSync(dirname(join(base, name)), { recursive: true });
    symlinkSync(to, join(base, name));
  };
  link('node_modules/critmap', root);
  link('examples', join(root, 'examples'));
  for (const name of ['resnet50.onnx', 'm.onnx', 'trained.onnx', 'convit_tiny.onnx']) {
    link(name, example('resnet.onnx'));
  }
  link('init.onnx', example('resnet-init.onnx'));
  link('vit.onnx', fixture('trained/vit.onnx'));
  await putImages(put);
  for (const name of ['val', 'train']) link(name, 'imagenet/val');
  await putCheckpoints(put);
  const models = [
    ['plain', 'baseline', 'baseline'],
    ['l2-3', 'adversarial', 'adversarial-4'],
  ].map(
    ([id, category, file]) =>
      `  - { id: ${id}, category: ${category}, weights: examples/fashion/methods/${file}.safetensors }\n`,
  );
  const study = `defaults: { model: examples/fashion/methods/network.onnx, layers: [conv1, fc] }
data: { clean: clean.npy, noise: noise.npy }
models:
${models.join('')}baseline: plain
`;
  put('study.yaml', study);

  const port = await freePort();
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const program = (name: string, text: string) => writeFileSync(join(bin, name), text, { mode: 0o755 });
  program(
    'critmap',
    `#!${process.execPath}
const words = process.argv;
const at = words.indexOf('--arch') + 1;
if (at > 0 && words[at] === 'resnet50') words.splice(at, 1, 'resnet18', '--size', '64');
const url = words.indexOf('--redis') + 1;
if (url > 0) words[url] = 'redis://127.0.0.1:${port}';
const isThere = (port) =>
  new Promise((resolve) => {
    const socket = require('node:net').connect(port, '127.0.0.1');
    socket.on('error', () => setTimeout(() => resolve(isThere(port)), 50));
    socket.on('connect', () => resolve(socket.destroy()));
  });
(url > 0 ? isThere(${port}) : Promise.resolve()).then(() => import(${JSON.stringify(join(root, 'dist', 'cli.js'))}));
`,
  );
  program('npx', '#!/bin/sh\nexec "$@"\n');
  const server = spawnSync('which', ['redis-server'], { encoding: 'utf8' }).stdout.trim();
  if (server) {
    const own = `--port ${port} --bind 127.0.0.1 --save '' --dir ${directory}`;
    program('redis-server', `#!/bin/sh\nexec ${server} ${own} "$@"\n`);
  }
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    XDG_CACHE_HOME: join(directory, 'cache'),
    // A script for Slurm is one for bash, and this its first task.
    ...{ SLURM_ARRAY_TASK_ID: '1', SLURM_CPUS_PER_TASK: '1', SLURM_JOB_ID: '1' },
    ...{ USER: 'reader', TMPDIR: directory },
  };
  const run = (cwd: string, name: string, words: readonly string[]) =>
    new Promise<Ended>((resolve, reject) => {
      const child = spawn(name, words, {
        ...{ cwd, env, stdio: ['ignore', 'pipe', 'pipe'] as const, timeout: 120_000 },
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, output }));
    });

  const critmap = async (line: string) => {
    const { code, output } = await run(base, join(bin, 'critmap'), line.split(' '));
    if (code !== 0) throw new Error(`critmap ${line}: ${output}`);
  };
  await critmap('sweep resnet50.onnx --data imagenet/val --quiet --out runs/resnet50');
  await critmap('study study.yaml --quiet --out studies/mine');
  putTables(base, put);

  return {
    run,
    folderFor(page, texts) {
      const folder = join(directory, page.replaceAll('/', '-'));
      mkdirSync(folder);
      for (const name of readdirSync(base)) {
        if (name !== 'runs' && name !== 'studies') symlinkSync(join(base, name), join(folder, name));
      }
      for (const name of PREPARED) {
        const isMade = texts.some((text) => new RegExp(`(--out |\\bout: ')${name}(?![\\w-])`).test(text));
        if (!isMade) cpSync(join(base, name), join(folder, name), { recursive: true });
      }
      return folder;
    },
  };
}

type Put = (name: string, content: string | Uint8Array) => void;

/** In folders by class, and as arrays, clean and noisy. */
async function putImages(put: Put): Promise<void> {
  const images = await openImages(example('images.npz'), {
    shape: { channels: 1, height: SIZE, width: SIZE },
    images: IMAGES,
  });
  const pixels = new Uint8Array(IMAGES * SIZE * SIZE);
  await images.readPixels(0, IMAGES, pixels);
  for (let i = 0; i < IMAGES; i++) {
    const raw = { width: SIZE, height: SIZE, channels: 1 as const };
    const one = pixels.subarray(i * SIZE * SIZE, (i + 1) * SIZE * SIZE);
    put(`imagenet/val/${images.labels![i]}/${i}.png`, await sharp(one, { raw }).png().toBuffer());
  }
  // Labels count classes in order, so each must be there.
  for (let label = 0; label < 10; label++) {
    if (![...images.labels!].includes(label)) {
      put(
        `imagenet/val/${label}/more.png`,
        await sharp(pixels.subarray(0, SIZE * SIZE), { raw: { width: SIZE, height: SIZE, channels: 1 } })
          .png()
          .toBuffer(),
      );
    }
  }
  const noisy = pixels.map((value, i) => Math.min(255, Math.max(0, value + ((i * 7919) % 81) - 40)));
  for (const [name, values] of [
    ['clean', pixels],
    ['noise', noisy],
  ] as const)
    put(`${name}.npy`, npy('|u1', [IMAGES, SIZE, SIZE], values));
  await images.close();
}

async function putCheckpoints(put: Put): Promise<void> {
  const tensorsOf = (name: string) =>
    fromBinary(ModelSchema, readFileSync(example(name))).graph!.initializer.filter(
      ({ dataType }) => dataType === FLOAT,
    );
  const start = new Map(tensorsOf('resnet-init.onnx').map((tensor) => [tensor.name, floats(tensor)]));
  const between = (share: number) =>
    safetensors(tensorsOf('resnet.onnx'), (tensor) =>
      floats(tensor).map((own, i) => share * own + (1 - share) * start.get(tensor.name)![i]!),
    );
  for (const name of ['init.safetensors', 'init.pth']) put(name, between(0));
  for (const n of [0, 1]) put(`fresh-${n}.safetensors`, between(n / 10));
  for (const n of [100, 200]) put(`checkpoints/step-${n}.safetensors`, between(n / 300));
  const { file } = await buildModel('resnet18', { size: 64 });
  const stored = file.graph.initializer.filter(({ dataType }) => dataType === FLOAT);
  put('resnet50_augmix.pth.tar', safetensors(stored, floats));
}

function safetensors(tensors: readonly Tensor[], valuesOf: (tensor: Tensor) => Float32Array): Buffer {
  const header: Record<string, object> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(valuesOf(tensor));
    header[tensor.name] = {
      dtype: 'F32',
      shape: dimensions(tensor),
      data_offsets: [at, at + bytes.length],
    };
    parts.push(bytes);
    at += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

/** The sweep's table for three models, as the published one has fifty, and what is known of them. */
function putTables(base: string, put: Put): void {
  const [head, ...rows] = readFileSync(join(base, 'runs/resnet50/results.csv'), 'utf8').trim().split('\n');
  const names = ['resnet50', 'resnet50_other', 'resnet50_frozen_random'];
  const model = head!.split(',').indexOf('model_id');
  const renamed = names.flatMap((name) => rows.map((row) => row.split(',').with(model, name).join(',')));
  put('results.csv', `${[head, ...renamed].join('\n')}\n`);
  put('r50_categories.json', JSON.stringify({ baseline: names }));
  put('accuracies.json', JSON.stringify(Object.fromEntries(names.map((name, i) => [name, 70 + i]))));
}
