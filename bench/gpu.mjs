/**
 * A GPU machine: whole sweeps of ResNet-50 on the card, next to the processor's engine and to the published algorithm
 * in PyTorch on the same card; whether the card's logits are the processor's; and what the published study would take.
 * Runs only when it is named, and leaves a record in `bench/results`. `--device cpu` lets the processor stand in for
 * the card, to try the case itself.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { resnet } from '../dist/architectures/resnet.js';
import { native } from '../dist/native/addon.js';
import { computingOn, deviceName } from '../dist/native/cards.js';
import { onnxruntimeLibrary } from '../dist/native/engine.js';
import { nativeEngine } from '../dist/native/open-engine.js';
import { runtimeVersion } from '../dist/native/runtime-version.js';
import { inChild } from './child.mjs';
import { STUDY, studyHours, sweepSpeed } from './gpu-speed.mjs';
import { temporaryFolder } from './material.mjs';
import { machine } from './measure.mjs';
import { fashion, writeCase } from './sweep.mjs';
import { spread } from './wall.mjs';

/** Images that both a card and the processor are checked on, and the most that the processor sweeps. */
const FEW = 64;
/** What a processor that stands in for the card does less of: images, trials, layers in PyTorch. */
const ON_CARD = { images: 512, trials: STUDY.trials, layers: STUDY.layers };
const STAND_IN = { images: 16, trials: 1, layers: 3 };

/** Ends the bench without a measurement: 77 where there is nothing to measure on, 2 for wrong options. */
class Unavailable extends Error {
  constructor(cause) {
    super(`gpu: not measured: ${cause.message}`, { cause });
    this.exitCode = cause.code === 'ERR_OPTION' ? 2 : 77;
  }
}

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function gpuCases() {
  return { gpu };
}

async function gpu({ device = 'cuda', precision = 'fp32', rounds = 3, images, batch, results }) {
  const cards = requireCards(device, precision);
  const size = cards === undefined ? STAND_IN : ON_CARD;
  const most = images ?? size.images;
  const folder = temporaryFolder();
  const task = await writeCase(folder, resnet, most);
  const few = Math.min(FEW, most);

  const agreements = {
    demo: await agreement({
      graph: fashion('resnet.onnx'),
      data: fashion('images.npz'),
      images: 'all',
      trials: 3,
    }),
    'resnet-50': await agreement({ ...task, images: few, trials: 1 }),
  };
  const sweeps = (name, count, how) =>
    sweepSpeed({ ...task, out: join(folder, name), trials: size.trials, ...how }, count, rounds);
  const onCard = await sweeps('card', most, { device, precision, batch });
  const onProcessor = await sweeps('processor', few, { device: 'cpu', batch: undefined });
  const torch = await inTorch({ ...size, cards, precision, batch: batch ?? 32, images: few, rounds });

  const contestants = { [deviceName(cards)]: onCard, 'cpu engine': onProcessor, ...torch.contestant };
  const study = Object.entries(contestants).map(([name, speed]) => ({ name, hours: studyHours(speed) }));
  const result = {
    device: deviceName(cards),
    precision,
    rounds,
    trials: size.trials,
    agreements,
    contestants,
    torch: torch.about,
    study: { ...STUDY, hours: Object.fromEntries(study.map(({ name, hours }) => [name, hours])) },
  };
  const record = await writeRecord(result, results);
  const failed = Object.values(agreements).some(({ cellsOff }) => cellsOff > 0);
  return { result, failed, text: describe(result, record, failed) };

  function agreement(about) {
    return inChild('./gpu-agreement.mjs', 'agreement', { ...about, device });
  }
}

/** @throws Unavailable with the reason when there is no card, or no ONNX Runtime that computes on it */
function requireCards(device, precision) {
  try {
    const { cards } = computingOn({ device, precision });
    // Loads the provider.
    if (cards) nativeEngine.open({ library: onnxruntimeLibrary(), threads: 1, cards }).close();
    return cards;
  } catch (error) {
    throw new Unavailable(error);
  }
}

/** The published algorithm (gpu.py), or why it is not measured. */
async function inTorch({ cards, precision, batch, rounds, layers, trials, images }) {
  const python = process.env.CRITMAP_PYTHON ?? 'python3';
  const device = cards === undefined ? 'cpu' : `cuda:${cards[0]}`;
  const probe = `import torch, sys; sys.exit(${cards === undefined ? 0 : '0 if torch.cuda.is_available() else 3'})`;
  const { status } = spawnSync(python, ['-c', probe], { stdio: 'ignore' });
  if (status !== 0) {
    const lacks = status === 3 ? 'has a torch that finds no GPU' : 'has no torch';
    return { about: { absent: `${python} ${lacks}; CRITMAP_PYTHON names another Python` }, contestant: {} };
  }
  const script = fileURLToPath(new URL('gpu.py', import.meta.url));
  const given = [device, precision, batch, images, layers].map(String);
  const child = spawn(python, [script, ...given], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} bench/gpu.py ended before it had measured`);
    return JSON.parse(value);
  };
  const about = await line();
  const speeds = {};
  for (let round = 0; round < rounds; round++) {
    child.stdin.write('go\n');
    for (const [way, { original, cell }] of Object.entries(await line())) {
      // The untouched model runs once for all cells.
      const cells = STUDY.layers * trials;
      speeds[way] ??= [];
      speeds[way].push((cells * images) / (original + cells * cell));
    }
  }
  child.stdin.end();
  const contestant = Object.fromEntries(
    Object.entries(speeds).map(([way, found]) => [
      `pytorch ${way}`,
      { speed: spread(found), besides: spread([0]), images: [images], batch },
    ]),
  );
  return { about, contestant };
}

/** What was measured, where, with what and how it was asked for. */
async function writeRecord(result, folder = fileURLToPath(new URL('results', import.meta.url))) {
  const { driver, runtime, devices } = native().cuda();
  const { version, path } = native().info();
  const cards = result.device === 'cpu' ? [] : result.device.slice('cuda:'.length).split(',').map(Number);
  const asked = ['npm run bench --', ...process.argv.slice(2)].join(' ');
  const record = {
    date: new Date().toISOString(),
    command: asked,
    cards: cards.map((card) => devices[card]),
    driver: { cuda: driver, version: driverVersion() },
    versions: { critmap: version, onnxruntime: await runtimeVersion('fast'), cuda: runtime },
    machine: machine({ path }),
    ...result,
  };
  const card = cards.length > 0 ? devices[cards[0]].name : 'cpu';
  const name = [record.date.slice(0, 10), card, cards.length > 1 && `x${cards.length}`, result.precision];
  const slug = name
    .filter(Boolean)
    .join(' ')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `gpu-${slug}.json`);
  await writeFile(file, `${JSON.stringify(record, null, 1)}\n`);
  return file;
}

/** NVIDIA's own number, which CUDA does not tell. */
function driverVersion() {
  const asked = ['--query-gpu=driver_version', '--format=csv,noheader'];
  const { status, stdout } = spawnSync('nvidia-smi', asked, { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split('\n')[0] : null;
}

function describe({ device, precision, trials, agreements, contestants, torch, study }, record, failed) {
  const [, first] = Object.entries(contestants)[0];
  const rows = Object.entries(contestants).map(([name, { speed, batch, images }]) => {
    const range = `(${speed.low.toFixed(1)} - ${speed.high.toFixed(1)})`;
    const times = `${device} is ${(first.speed.median / speed.median).toFixed(2)} x that`;
    const hours = `the study ${study.hours[name].toFixed(2)} h`;
    const how = `batch ${batch ?? 'default'}, ${images.join(' and ')} images`;
    return `  ${name.padEnd(21)} ${speed.median.toFixed(1).padStart(9)} layer-images/s ${range}; ${times}; ${hours}; ${how}`;
  });
  const counts = Object.entries(agreements).map(
    ([name, { cells, images, cellsOff, farthest, ties }]) =>
      `  logits of ${name}, fp32: ${cells - Math.min(cells, cellsOff)} of ${cells} cells as the processor's over ${images} images, within ${farthest.toExponential(1)} of a row's largest${ties > 0 ? `; another best class where two are that close: ${ties}` : ''}`,
  );
  return [
    `  ResNet-50, random weights, ${study.layers} layers x ${trials} trials, ${precision}`,
    ...rows,
    ...(torch.absent ? [`  pytorch not measured: ${torch.absent}`] : [`  torch ${torch.torch}`]),
    ...Object.entries(torch.missing ?? {}).map(([way, why]) => `  pytorch ${way} not measured: ${why}`),
    ...counts,
    `  the published study: ${study.models} models x ${study.layers} layers x ${study.trials} trials x ${study.images} images, extrapolated`,
    ...(failed ? ["  FAILED: the card's logits are not the processor's"] : []),
    `  record ${relative(process.cwd(), record)}`,
  ].join('\n');
}
