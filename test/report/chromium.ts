/** A browser for tests of pages, where the machine has one. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const found = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** False, or why a test cannot be. */
export const skip: string | false = found === undefined ? 'there is no Chromium' : false;

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: found!, args: ['--no-sandbox', '--font-render-hinting=none'] });
