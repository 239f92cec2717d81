/** A real server on loopback for a test, on a port of its own; it ends with the test. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Server, serverOf } from '../../src/queue/server.js';
import { freePort } from '../free-port.js';

/** Why there is none, or false. */
export const lacksRedis =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed';

export interface TestServer {
  url: string;
  server: Server;
  client: Redis;
  /** As a machine that loses power. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** @param options of `redis-server`, besides what keeps it to itself */
export async function startRedis(
  t: { teardown(end: () => void): void },
  directory: string,
  options: readonly string[] = ['--appendonly', 'yes'],
): Promise<TestServer> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const base = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
  let child: ChildProcess | null = null;
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  client.on('error', () => {});
  const kill = async () => {
    const running = child;
    child = null;
    if (running?.exitCode !== null || !running.kill('SIGKILL')) return;
    await once(running, 'exit');
  };
  const start = async () => {
    child = spawn('redis-server', [...base, ...options], { stdio: 'ignore' });
    // One that wants a password is there too.
    const answer = () => client.ping().catch((error: Error) => (/NOAUTH/.test(error.message) ? 'PONG' : ''));
    while ((await answer()) !== 'PONG') await sleep(20);
  };
  t.teardown(() => {
    client.disconnect();
    child?.kill('SIGKILL');
  });
  await start();
  return { url, server: serverOf(url, {}), client, kill, start };
}
