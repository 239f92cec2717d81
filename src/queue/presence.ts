/** Who is at a server: workers are told by the names of their connections. */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Server } from './server.js';

const NAME = 'critmap-worker:';

/** What a worker's connections are called. */
export const connectionNameOf = (worker: string) => `${NAME}${worker}`;

/** Milliseconds; workers that were started together with the sweep are there by then. */
const ALONE_MS = 4000;
const LOOK_MS = 1000;
/** How much longer workers may take to open the sweep before it is remarked. */
const OPENING = 15;

/** Servers without workers that have been told of: several sweeps may wait at one. */
const told = new WeakSet<Server>();

/** Says that there are no workers, once until there are some; and once that those that are there do not compute. */
export class WorkerWatch {
  #lookedMs = performance.now();
  #seenMs = performance.now();
  #heardMs = performance.now();
  #isIdleTold = false;

  constructor(
    private readonly queue: Pick<Queue, 'getWorkersCount'>,
    private readonly client: Redis,
    private readonly server: Server,
    private readonly say: (message: string) => void,
    private readonly aloneMs = ALONE_MS,
  ) {}

  /** A result has come: somebody computes. */
  heard(): void {
    this.#seenMs = performance.now();
    this.#heardMs = this.#seenMs;
  }

  /** To be called often. */
  async look(): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedMs < Math.min(LOOK_MS, this.aloneMs)) return;
    this.#lookedMs = now;
    if (now - this.#heardMs < this.aloneMs) return;
    // Some servers do not say who is there.
    const there = await workersAt(this.client, this.server).catch(() => null);
    if (there === null) return;
    if (there > 0) {
      this.#seenMs = now;
      told.delete(this.server);
      if (now - this.#heardMs > OPENING * this.aloneMs) await this.#lookAtSweep();
    } else if (now - this.#seenMs >= this.aloneMs && !told.has(this.server)) {
      told.add(this.server);
      this.say(`no worker is connected; start one: ${commandOf(this.server)}`);
    }
  }

  async #lookAtSweep(): Promise<void> {
    if (this.#isIdleTold) return;
    if ((await this.queue.getWorkersCount()) > 0) return this.heard();
    this.#isIdleTold = true;
    this.say(
      'no worker computes this sweep yet: it is being opened, others come first, or workers say why not',
    );
  }
}

/** How many workers are connected to the server's database. */
async function workersAt(client: Redis, { options: { db = 0 } }: Server): Promise<number> {
  const lines = String(await client.client('LIST')).split('\n');
  const workers = lines.filter((line) => line.includes(` name=${NAME}`) && line.includes(` db=${db} `));
  return new Set(workers.map((line) => / name=(\S+)/.exec(line)?.[1])).size;
}

/** What starts a worker there; no name or password is in it. */
function commandOf({ address, options }: Server): string {
  const secret = options.password ? ', with CRITMAP_REDIS_PASSWORD set' : '';
  return `critmap worker --redis ${address}${secret}`;
}
