import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openFolder } from '../../../src/images/sources/folder.js';
import { compareCodePoints, listFolder } from '../../../src/images/sources/folder-listing.js';

/** A folder with empty files at these relative paths. */
async function folder(t: Test, paths: readonly string[]): Promise<string> {
  const root = t.testdir();
  for (const path of paths) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), '');
  }
  return root;
}

t.test('files come class by class, folder by folder, name by name, as in ImageFolder', async (t) => {
  const root = await folder(t, [
    'b/z.jpg',
    'b/a/y.jpg',
    'b/a-b/x.jpg',
    'b/a/c/w.jpg',
    'b/B.jpg',
    'a.b/1.png',
    'a/10.png',
    'a/9.png',
    'Z/1.png',
    'a/sub/0.png',
  ]);
  const { files, subfolders, subfolderOf } = await listFolder(root);
  // '-' (0x2d) sorts before '/' (0x2f), and os.walk's folders are sorted as whole paths.
  t.same(files, [
    'Z/1.png',
    'a/10.png',
    'a/9.png',
    'a/sub/0.png',
    'a.b/1.png',
    'b/B.jpg',
    'b/z.jpg',
    'b/a/y.jpg',
    'b/a-b/x.jpg',
    'b/a/c/w.jpg',
  ]);
  t.same(subfolders, ['Z', 'a', 'a.b', 'b']);
  t.same([...subfolderOf], [0, 1, 1, 1, 2, 3, 3, 3, 3, 3]);
});

t.test('an empty subfolder keeps its place among the classes', async (t) => {
  const root = await folder(t, ['a/1.png', 'c/1.png']);
  await mkdir(join(root, 'b'));
  t.match(await listFolder(root), { subfolders: ['a', 'b', 'c'], subfolderOf: Int32Array.of(0, 2) });
});

t.test('endings count in any case; other files and hidden names are ignored', async (t) => {
  const root = await folder(t, [
    'A.JPG',
    'b.jpeg',
    'c.Png',
    'd.webp',
    'e.tif',
    'f.tiff',
    'g.gif',
    'h.avif',
    'README.txt',
    '.DS_Store',
    '._A.jpg',
    'noending',
    'x.jpg.txt',
    '.cache/1.jpg',
  ]);
  const { files, subfolders } = await listFolder(root);
  t.same(files, ['A.JPG', 'b.jpeg', 'c.Png', 'd.webp', 'e.tif', 'f.tiff', 'g.gif', 'h.avif']);
  t.same(subfolders, []);
});

t.test('links are followed, loops are not', async (t) => {
  const root = await folder(t, ['a/1.png', 'a/deep/2.png', 'b/3.png']);
  await symlink('..', join(root, 'a/deep/up'));
  await symlink('.', join(root, 'a/self'));
  await symlink(root, join(root, 'b/root'));
  await symlink('../a/1.png', join(root, 'b/4.png'));
  await symlink('nowhere', join(root, 'b/5.png'));
  await symlink('a', join(root, 'c'));
  const { files, loops } = await listFolder(root);
  t.same(loops, ['a/deep/up', 'a/self', 'b/root', 'c/deep/up', 'c/self']);
  t.same(files, ['a/1.png', 'a/deep/2.png', 'b/3.png', 'b/4.png', 'b/5.png', 'c/1.png', 'c/deep/2.png']);
  const { warnings } = await openFolder(root, 3, 'ignore');
  t.equal(warnings?.length, 5);
  t.equal(
    warnings?.[1],
    `${join(root, 'a/self')} is a link to a folder that contains it; the link is not followed`,
  );
});

t.test('a folder without images is refused with what was found in it', async (t) => {
  const refused: [string[], RegExp][] = [
    [[], /: no images, the folder is empty; give a folder with \.jpg/],
    [['README.txt'], /no images, only 1 other file \(README\.txt\)/],
    [
      ['a/1.txt', 'b/2.txt', 'b/3.txt', 'b/4.txt'],
      /only 4 other files \(.*\.txt, .*\.txt, .*\.txt, \.\.\.\)/,
    ],
  ];
  for (const [paths, message] of refused) {
    await t.test(`${paths.length} files`, async (t) => {
      await t.rejects(listFolder(await folder(t, paths)), { code: 'ERR_IMAGES', message });
    });
  }
  await mkdir(join(t.testdir(), 'empty'));
  await t.rejects(listFolder(t.testdirName), { message: /only empty subfolders/ });
});

t.test('what torchvision lists is listed, whether the decoder reads it or not', async (t) => {
  const root = await folder(t, ['a/1.png', 'a/2.bmp', 'a/3.PPM', 'a/4.pgm', 'a/5.heic']);
  const { files, remarks } = await listFolder(root);
  t.same(files, ['a/1.png', 'a/2.bmp', 'a/3.PPM', 'a/4.pgm']);
  t.match(remarks, [/^files of kinds that are not read are left out \(1 \.heic\); convert them to PNG/]);
});

t.test('names are ordered by code point, not by UTF-16 unit', async (t) => {
  const names = ['a', 'B', 'a.', 'é', '\u{1f600}', '\uff5e', 'aa', ''];
  t.same(names.sort(compareCodePoints), ['', 'B', 'a', 'a.', 'aa', 'é', '\uff5e', '\u{1f600}']);
});
