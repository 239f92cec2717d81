import t from 'tap';
import { openZip } from '../../src/files/zip-file.js';
import { memoryRange } from '../../src/images/sources/byte-range.js';
import { zip, zip64 } from '../images/build-files.js';

const open = (bytes: Buffer) => openZip(memoryRange(bytes, 'a.zip'));
const names = async (bytes: Buffer) => {
  const found: string[] = [];
  for await (const entry of (await open(bytes)).eachEntry()) found.push(entry.fileName);
  return found;
};
const member = (name: string) => ({ name, data: Buffer.from(name) });

t.test('more entries than a block holds are listed in their order', async (t) => {
  const wanted = Array.from({ length: 3000 }, (_, i) => `folder/a member with a long name ${i}`);
  t.strictSame(await names(zip(wanted.map(member))), wanted);
});

t.test('a zip64 archive is listed', async (t) => {
  t.strictSame(await names(zip64([member('a'), member('b')])), ['a', 'b']);
});

t.test('positions that no file has end in an error that is caught', async (t) => {
  const whole = zip64([member('a')]);
  const locator = whole.length - 22 - 20;
  for (const position of [2n ** 56n, 2n ** 64n - 1n, 2n ** 53n - 1n, BigInt(whole.length)]) {
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64LE(position, locator + 8);
    await t.rejects(names(bytes), { message: /it refers to byte \d+/ });
    const directory = Buffer.from(whole);
    directory.writeBigUInt64LE(position, locator - 56 + 48);
    await t.rejects(names(directory), { message: /it refers to byte \d+/ });
  }
});
