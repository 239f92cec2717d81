import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import t from 'tap';
import { figureData } from '../../src/compare/figure-data.js';
import { drawingsOf } from '../../src/figures/all-figures.js';
import { pdfFile, svgFile } from '../../src/figures/render.js';
import { skip as noBrowser, openBrowser, pictureOf } from '../report/chromium.js';

const lacking = ['rsvg-convert', 'pdftoppm', 'pdftotext'].find((program) => {
  try {
    execFileSync(program, [program === 'rsvg-convert' ? '--version' : '-v'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
});
const skip = noBrowser || (lacking === undefined ? false : `there is no ${lacking}`);

const models = ['base', ...Array.from({ length: 9 }, (_, i) => `robust_${i}`)];
const folder = t.testdir({
  'results.csv': [
    'model_id,layer,trial,pred_cos_sim',
    ...models.flatMap((model, m) =>
      Array.from({ length: 36 }, (_, i) => {
        const [l, trial] = [Math.floor(i / 3), i % 3];
        return `${model},layer${Math.floor(l / 4)}.${l % 4}.conv,${trial},${1 - (3 * l + 4 * m + trial) / 100}`;
      }),
    ),
  ].join('\n'),
  'categories.json': JSON.stringify({ baseline: ['base'], robust: models.slice(1) }),
  'accuracies.json': JSON.stringify(Object.fromEntries(models.map((model, i) => [model, 80 - i]))),
  // rsvg-convert has fonts of the machine only; these are the package's.
  'fonts.conf': `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${fileURLToPath(new URL('../../fonts', import.meta.url))}</dir><cachedir>${t.testdirName}/fonts-cache</cachedir></fontconfig>`,
});
const file = (name: string) => join(folder, name);
const env = { ...process.env, FONTCONFIG_FILE: file('fonts.conf') };

/** Pixels for each px, so that the edges of what is drawn are a small part of it. */
const DENSITY = 2;

interface Word {
  text: string;
  left: number;
  right: number;
  middle: number;
}

/** The picture that a browser makes of an SVG file, and its upright words of one piece. */
async function inBrowser(browser: Browser, path: string, width: number, height: number) {
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: DENSITY });
  await page.goto(`file://${path}`);
  await page.evaluate('document.fonts.ready.then(() => undefined)');
  const words = await page.evaluate<Word[]>(`[...document.querySelectorAll('text')].flatMap((one) => {
    const { left, right, top, bottom, width, height } = one.getBoundingClientRect();
    const text = one.textContent;
    return text.length < 2 || / /.test(text) || width < height ? [] : [{ text, left, right, middle: (top + bottom) / 2 }];
  })`);
  const picture = await pictureOf(page);
  await page.close();
  return { words, picture };
}

/** Share of pixels that differ by a quarter of all grey levels or more; programs round a fraction of a pixel up or down. */
async function differing(a: Buffer, b: Buffer, width: number, height: number): Promise<number> {
  const [left, right] = await Promise.all(
    [a, b].map((picture) =>
      sharp(picture)
        .flatten({ background: '#fff' })
        .extract({ left: 0, top: 0, width: DENSITY * (width - 1), height: DENSITY * (height - 1) })
        .greyscale()
        .raw()
        .toBuffer(),
    ),
  );
  const count = left!.reduce((sum, value, i) => sum + Number(Math.abs(value - right![i]!) >= 64), 0);
  return count / left!.length;
}

/** Words of a PDF file and where they are, in px. */
function wordsOfPdf(path: string): Word[] {
  const text = execFileSync('pdftotext', ['-bbox', path, '-'], { encoding: 'utf8', env });
  const px = (points: string | undefined) => (Number(points) * 96) / 72;
  return [
    ...text.matchAll(/<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)</g),
  ].map(([, left, top, right, bottom, word]) => ({
    ...{ text: word!, left: px(left), right: px(right) },
    middle: (px(top) + px(bottom)) / 2,
  }));
}

t.test('SVG and PDF files look in other programs as they do in a browser', { skip }, async (t) => {
  const browser = await openBrowser();
  t.teardown(() => browser.close());
  const data = await figureData([file('results.csv')], {
    categories: file('categories.json'),
    accuracies: file('accuracies.json'),
  });
  const shown = ['map', 'difference', 'accuracy', 'stages', 'profile-base'];
  for (const { id, spec } of drawingsOf(data).filter((one) => shown.includes(one.id))) {
    const svg = await svgFile(spec);
    writeFileSync(file(`${id}.svg`), svg);
    writeFileSync(file(`${id}.pdf`), await pdfFile(spec));
    const [, w, h] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
    const [width, height] = [Math.ceil(Number(w)), Math.ceil(Number(h))];
    const { words, picture } = await inBrowser(browser, file(`${id}.svg`), width, height);
    const bySvg = execFileSync('rsvg-convert', ['-z', String(DENSITY), file(`${id}.svg`)], {
      env,
      maxBuffer: 1 << 26,
    });
    const byPdf = execFileSync('pdftoppm', ['-r', String(96 * DENSITY), '-png', file(`${id}.pdf`)], {
      env,
      maxBuffer: 1 << 26,
    });
    const [svgShare, pdfShare] = [
      await differing(picture, bySvg, width, height),
      await differing(picture, byPdf, width, height),
    ];
    t.ok(svgShare < 0.02, `${id}: ${(100 * svgShare).toFixed(2)} % of rsvg-convert's picture differ`);
    t.ok(pdfShare < 0.02, `${id}: ${(100 * pdfShare).toFixed(2)} % of pdftoppm's picture differ`);
    const found = wordsOfPdf(file(`${id}.pdf`));
    const apart = (a: Word, b: Word) =>
      Math.max(Math.abs(a.left - b.left), Math.abs(a.right - b.right), Math.abs(a.middle - b.middle));
    // pdftotext joins words that are close to each other.
    const farthest = words.flatMap((word) => {
      const same = found.filter(({ text }) => text === word.text);
      return same.length > 0 ? [Math.min(...same.map((other) => apart(word, other)))] : [];
    });
    t.ok(farthest.length >= 5, `${id}: ${farthest.length} of ${words.length} words`);
    const most = Math.max(...farthest);
    t.ok(
      most < 2,
      `${id}: words of the PDF file are ${most.toFixed(2)} px from where they are in the browser`,
    );
  }
});
