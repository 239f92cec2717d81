/**
 * A file for one step of the work, which others can open while it lasts. Where the system has files without names it
 * needs no folder and a kill leaves nothing of it; elsewhere it lies in a folder of its own in the temporary folder.
 */
import { closeSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native } from './addon.js';

export interface ScratchFile {
  handle: FileHandle;
  /** How the addon is told of it. */
  reference: string | number;
  close(): Promise<void>;
}

/** @throws what the system says when there is no room, or no folder */
export function openScratchFile(): Promise<ScratchFile> {
  const descriptor = native().runtime.namelessFile();
  return descriptor === null ? openInFolder() : openNameless(descriptor);
}

async function openNameless(descriptor: number): Promise<ScratchFile> {
  try {
    const handle = await open(`/proc/self/fd/${descriptor}`, 'r+');
    return { handle, reference: handle.fd, close: () => handle.close() };
  } finally {
    closeSync(descriptor);
  }
}

/** For systems without files that have no name. */
export async function openInFolder(): Promise<ScratchFile> {
  const folder = await mkdtemp(join(tmpdir(), 'critmap-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const reference = join(folder, 'model.onnx');
    const handle = await open(reference, 'wx+', 0o600);
    return {
      handle,
      reference,
      close: async () => {
        await handle.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
