import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { fileProblem } from '../../src/files/problems.js';
import { loadModel, openImages } from '../../src/index.js';

const skip = process.platform === 'linux' ? false : 'file names of bytes are of Linux';

t.test('a name that is not UTF-8 is told of as such', { skip }, async (t) => {
  const dir = t.testdir({});
  mkdirSync(join(dir, 'photos'));
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/photos/caf`), Buffer.of(0xe9), Buffer.from('.png')]), 'x');
  const shape = { channels: 3, height: 8, width: 8 };
  const images = await openImages(join(dir, 'photos'), { shape, images: 1 });
  t.teardown(() => images.close());
  await t.rejects(images.read(0, 1, new Float32Array(3 * 8 * 8)), {
    code: 'ERR_IMAGES',
    message: /its name is not UTF-8.*rename it/,
  });
  await t.rejects(loadModel(join(dir, 'caf\uFFFD.onnx')), { message: /its name is not UTF-8.*rename it/ });
  const missing = await readFile(join(dir, 'none')).catch((error) => error);
  t.strictSame(fileProblem(missing), ['does not exist', 'check the path']);
});
