/** A browser for tests of pages, where the machine has one. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const found = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** False, or why a test cannot be. */
export const skip: string | false = found === undefined ? 'there is no Chromium' : false;

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: found!, args: ['--no-sandbox', '--font-render-hinting=none'] });

/** A page's picture. A busy machine's browser may have none for once, and has it when asked again. */
export async function pictureOf(page: Page): Promise<Buffer> {
  for (let tries = 1; ; tries++) {
    try {
      return await page.screenshot();
    } catch (error) {
      if (tries === 3 || !/Unable to capture screenshot/.test(String(error))) throw error;
    }
  }
}
