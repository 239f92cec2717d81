/** A port of loopback that nobody has at the moment. */
import { createServer } from 'node:net';

export function freePort(): Promise<number> {
  const listener = createServer();
  return new Promise((resolve) => {
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as { port: number };
      listener.close(() => resolve(port));
    });
  });
}
