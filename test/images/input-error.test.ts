import t from 'tap';
import { fileError, imageError } from '../../src/images/input-error.js';

t.test('a refusal is one line: the file, what is wrong, what to do', async (t) => {
  const error = imageError('a\nb.png', 'is\todd', 'remove it');
  t.match(error, { name: 'CritmapError', code: 'ERR_IMAGES', message: 'a b.png: is odd; remove it' });
});

t.test('failed file operations are put into words and keep their cause', async (t) => {
  const because = (code: string) => Object.assign(new Error(`${code}: something`), { code });
  const denied = because('EACCES');
  const error = fileError('a.png', denied);
  t.equal(error.message, 'a.png: permission denied; make it readable for this user');
  t.equal(error.cause, denied);
  t.equal(fileError('a.png', because('ENOENT')).message, 'a.png: does not exist; check the path');
  t.match(fileError('a.png', because('EMFILE')).message, /too many files are open; raise the limit/);
  t.match(fileError('a.png', because('EWHAT')).message, /a\.png: cannot be read \(EWHAT: something\); check/);
  t.match(fileError('a.png', 'odd').message, /cannot be read \(odd\)/);
});
