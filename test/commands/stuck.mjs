// A process of interrupt.test.ts: an interruptible command that never ends, in the way that its argument says.
import { open } from 'node:fs/promises';
import { interruptible } from '../../dist/commands/interrupt.js';

const [, , how, pipe] = process.argv;

await interruptible(async (signal) => {
  setInterval(() => {}, 1000);
  // The work is told: it does not hear it, or is too busy to hear any more.
  if (how === 'busy')
    signal.addEventListener('abort', () => {
      for (;;);
    });
  if (how === 'pipe') open(pipe).catch(() => {});
  process.stdout.write('ready\n');
  await new Promise(() => {});
});
