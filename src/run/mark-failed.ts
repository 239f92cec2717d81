/** The status of a run whose `run.json` cannot be replaced any more. */
import { type FileHandle, open } from 'node:fs/promises';

const RUNNING = '"status": "running",';
const FAILED = '"status": "failed", ';

/** Writes `failed` over `running`, byte for byte: that needs no room on the disk. @throws what the file system says */
export async function markFailed(path: string): Promise<void> {
  const handle: FileHandle = await open(path, 'r+');
  try {
    const at = (await handle.readFile()).indexOf(RUNNING);
    if (at >= 0) {
      await handle.write(FAILED, at, 'latin1');
      await handle.sync();
    }
  } finally {
    await handle.close();
  }
}
