// A process or worker thread of lock.test.ts: opens the runs that it is told to, says how that went, and keeps them open
// until it is told to close them.
import { parentPort } from 'node:worker_threads';
import { openRun } from '../../dist/run/run.js';

const port = parentPort ?? process;
const say = (text) => (parentPort ? parentPort.postMessage(text) : process.send(text));
let run;

port.on('message', async ({ open, identity }) => {
  try {
    if (open === undefined) {
      await run?.close();
      run = undefined;
      say('closed');
    } else {
      run = await openRun(open, identity);
      say('held');
    }
  } catch (error) {
    say(error.message);
  }
});
say('ready');
