/** What a sweep tells, as events for a program and as spans for a trace. */
import { CritmapError, messageOf } from '../errors.js';
import type { TraceFile } from '../files/trace-file.js';
import type { SweepEvent } from '../sweep/events.js';
import type { SweepObserver } from '../sweep/observer.js';
import type { Shard } from '../sweep/settings.js';
import { version } from '../version.js';
import type { EventStream } from './event-stream.js';
import { Interrupted } from './interrupt.js';

interface Asked {
  out: string;
  shard?: Shard | undefined;
}

/** @param events, trace - null where nobody wants them */
export function observerOf(
  { out, shard }: Asked,
  events: EventStream | null,
  trace: TraceFile | null,
): SweepObserver {
  return {
    ...(events && {
      started: ({ model, images, onnxruntime, layers, resets }) =>
        events.send({
          event: 'started',
          versions: { critmap: version, onnxruntime, node: process.version },
          model: { name: model.name, file: model.file.path, sha256: model.sha256 },
          data: { source: images.source, images: images.count },
          ...{ layers: [...layers], resets: [...resets], out, shard: shard ?? null },
        }),
      planned: (what) => events.send({ event: 'planned', ...what }),
      stopped: (what) => events.send({ event: 'stopped', ...what }),
    }),
    ...(trace && { span: (...span) => trace.span(...span) }),
  };
}

/** The last event of a sweep that did not come to its end. */
export function endOf(error: unknown): SweepEvent {
  const message = messageOf(error);
  if (error instanceof Interrupted) return { event: 'interrupted', message, exitCode: error.exitCode };
  return { event: 'failed', code: error instanceof CritmapError ? error.code : null, message };
}
