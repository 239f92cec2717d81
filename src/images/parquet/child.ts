/**
 * The process that reads Parquet files ({@link ParquetProcess} starts it). The library believes what footers and pages
 * say of themselves: a damaged file can make it fill the memory until its process ends, and only this process may end
 * that way.
 */
import { Worker } from 'node:worker_threads';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { messageOf } from '../../errors.js';
import { lacksMemory } from '../../files/problems.js';
import { openRegular } from '../../files/regular-file.js';
import { fileError, ImageError } from '../input-error.js';
import { fileRange } from '../sources/byte-range.js';
import { bufferOf } from './file.js';
import { boundedCompressors } from './pages.js';
import type { ParquetAnswer, ParquetReady, ParquetRequest } from './process.js';

/** What a footer may say that a column of a row group has. Array buffers are not in the heap, nor in its limit. */
const MOST_UNPACKED_BYTES = 2 ** 30;

async function read({ path, column }: ParquetRequest): Promise<unknown> {
  const handle = await openRegular(path).catch((thrown) => Promise.reject(fileError(path, thrown)));
  try {
    const { size } = await handle.stat();
    const file = bufferOf(fileRange(handle, path, 0, size));
    return await (column ? readColumn(file, column) : readFooter(file));
  } finally {
    await handle.close();
  }
}

async function readFooter(file: AsyncBuffer): Promise<FileMetaData> {
  const { byteLength } = file;
  const end =
    byteLength < 12 ? '' : Buffer.from(await file.slice(byteLength - 4, byteLength)).toString('latin1');
  if (end !== 'PAR1') throw new Error('it is cut off or of another kind: it does not end with PAR1');
  return parquetMetadataAsync(file, { geoparquet: false });
}

async function readColumn(file: AsyncBuffer, metadata: FileMetaData): Promise<unknown[]> {
  let values: unknown[] = [];
  await parquetRead({
    file,
    metadata,
    utf8: false,
    compressors: boundedCompressors(MOST_UNPACKED_BYTES),
    onComplete: (rows) => {
      values = rows.map(([value]) => value as unknown);
    },
  });
  return values;
}

function refusalOf(id: number, thrown: unknown): ParquetAnswer {
  const failed = lacksMemory(thrown) ? fileError('', thrown) : thrown;
  if (failed instanceof ImageError) {
    const { problem, remedy, cause } = failed;
    const code = lacksMemory(cause) ? 'ENOMEM' : (cause as NodeJS.ErrnoException | undefined)?.code;
    return { id, problem, remedy, code, of: 'file' };
  }
  return { id, problem: messageOf(thrown), of: thrown instanceof TypeError ? 'structure' : 'content' };
}

/**
 * Ends this process with the one that asked, however busy it is: its own thread may then see nothing for long. It is
 * JavaScript, since no loader of TypeScript runs in a thread.
 */
const watch = `
  const { workerData: parent } = require('node:worker_threads');
  const lives = () => {
    // Windows does not say that a process has lost its parent.
    if (process.platform !== 'win32') return process.ppid === parent;
    try {
      return process.kill(parent, 0);
    } catch (thrown) {
      return thrown.code !== 'ESRCH';
    }
  };
  setInterval(() => lives() || process.kill(process.pid, 'SIGKILL'), 500);
`;
new Worker(watch, { eval: true, execArgv: [], workerData: Number(process.argv[2]) });

// Ctrl-C is for the process that asked; this one ends with it.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', async ({ id, request }: { id: number; request: ParquetRequest }) => {
  const answer: ParquetAnswer = await read(request).then(
    (value) => ({ id, value }),
    (thrown: unknown) => refusalOf(id, thrown),
  );
  process.send?.(answer);
});
process.send?.('ready' satisfies ParquetReady);
