/** Files that are images of kinds nobody here reads, nor torchvision lists: left out, but not without a word. */
import { extname } from 'node:path';

const ENDINGS = [
  ...['.heic', '.heif', '.jp2', '.j2k', '.jpf', '.jpx', '.jxl', '.jfif', '.jpe', '.pbm', '.pnm', '.svg'],
  ...['.ico', '.tga', '.psd', '.exr', '.hdr', '.dng', '.cr2', '.nef', '.arw'],
];

export class UnreadKinds {
  readonly #counts = new Map<string, number>();

  /** Counts a file if its name ends like one. */
  add(path: string): void {
    const ending = extname(path).toLowerCase();
    if (ENDINGS.includes(ending)) this.#counts.set(ending, (this.#counts.get(ending) ?? 0) + 1);
  }

  /** One line, if there are any. */
  remarks(): string[] {
    if (this.#counts.size === 0) return [];
    const list = [...this.#counts].map(([ending, count]) => `${count} ${ending}`).join(', ');
    return [`files of kinds that are not read are left out (${list}); convert them to PNG to have them used`];
  }
}
