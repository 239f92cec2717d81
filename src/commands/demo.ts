/** `critmap demo`: the whole thing on the shipped model and images. */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandModule } from 'yargs';

const example = (name: string) =>
  relative(process.cwd(), fileURLToPath(new URL(`../../examples/fashion/${name}`, import.meta.url)));

/** The first of `name`, `name-2`, ... that is not there: a demo always shows the computing. */
function freshDirectory(name: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}-${n}`;
    if (!existsSync(candidate)) return candidate;
  }
}

export const demoCommand: CommandModule<object, { out: string | undefined; quiet: boolean }> = {
  command: 'demo',
  describe: 'Sweep a shipped model over shipped images, up to the report',
  builder: (yargs) =>
    yargs
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'Directory for the results (default: runs/demo, or runs/demo-2 and so on)',
      })
      .option('quiet', { type: 'boolean', default: false, describe: 'Show no progress' }),
  handler: async ({ out = freshDirectory('runs/demo'), quiet }) => {
    const model = example('resnet.onnx');
    const data = example('images.npz');
    process.stdout.write(
      [
        'A small ResNet trained on Fashion-MNIST, 1,000 of its test images. Every layer in turn is reset',
        'to random weights, new ones for every 8 images; the table shows how far the predictions move. By hand:',
        '',
        `  critmap sweep ${model} --data ${data} --images all --out ${out}`,
        '',
        '',
      ].join('\n'),
    );
    const { runSweep } = await import('./sweep-job.js');
    const choices = { imageChoices: { images: 'all' as const }, sweepChoices: {} };
    await runSweep({ model, data, out, quiet, ...choices });
  },
};
