/** The status of a run whose `run.json` cannot be replaced any more. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { requireRegular } from '../files/regular-file.js';

const RUNNING = '"status": "running",';
const FAILED = '"status": "failed", ';

/** Writes `failed` over `running`, byte for byte: that needs no room on the disk. @throws what the file system says */
export async function markFailed(path: string): Promise<void> {
  await requireRegular(path);
  const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle: FileHandle = await open(path, flags);
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
