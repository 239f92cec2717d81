/** The documentation as its tests read it: pages, their blocks of code, what they name, their headings and links. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import GithubSlugger from 'github-slugger';
import { lexer, type Token, walkTokens } from 'marked';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Why a block cannot be run here, as `<!-- needs: WORD -->` before it says; its reader does not see that. */
export const NEEDS = {
  network: 'fetches from the network',
  gpu: 'a graphics card, and CUDA',
  python: 'Python with PyTorch or other packages',
  redis: 'redis-server: it runs where there is one',
  time: 'more time than these tests have: test/package/install.test.ts runs the demo',
  compiler: 'installs, compiles, or tests all of critmap',
  program: 'a program that is no part of critmap',
} as const;
export type Need = keyof typeof NEEDS;

export interface Block {
  page: string;
  /** Its page and first line. */
  name: string;
  language: string;
  text: string;
  /** What it needs besides critmap; null: it runs. */
  needs: string | null;
  /** The exit code that the page promises, `<!-- exits: N -->`; 0 otherwise. */
  exits: number;
  /** The file that the page's later commands take it for, `<!-- file: NAME -->`. */
  file: string | null;
}

export interface Page {
  /** From the root of the tree. */
  path: string;
  blocks: Block[];
  /** Inline code. */
  words: string[];
  /** As GitHub makes them of headings. */
  anchors: Set<string>;
  links: string[];
}

/** README and every page of docs/. */
export const pages = (): Page[] =>
  ['README.md', ...readdirSync(`${root}/docs`).map((name) => `docs/${name}`)]
    .filter((path) => path.endsWith('.md'))
    .map((path) => read(path));

/** A page that is not listed, such as an example's. */
export function read(path: string): Page {
  const page: Page = { path, blocks: [], words: [], anchors: new Set(), links: [] };
  const slugger = new GithubSlugger();
  const tokens = lexer(readFileSync(`${root}/${path}`, 'utf8'));
  takeBlocks(tokens);
  walkTokens(tokens, (token) => {
    if (token.type === 'heading') page.anchors.add(slugger.slug(plain(token.tokens ?? [])));
    if (token.type === 'link' || token.type === 'image') page.links.push(token.href);
    if (token.type === 'codespan') page.words.push(token.text);
    if (token.type === 'html') {
      for (const [, target] of token.text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g))
        page.links.push(target);
    }
  });
  return page;

  /** Blocks with the comment before them, also inside of lists. */
  function takeBlocks(found: readonly Token[]): void {
    let comment = '';
    for (const token of found) {
      if (token.type === 'code') {
        const { text } = token;
        page.blocks.push({
          page: path,
          name: `${path}: ${text.split('\n')[0]}`,
          language: token.lang ?? '',
          text,
          needs: /<!-- needs: (.*?) -->/.exec(comment)?.[1] ?? null,
          exits: Number(/<!-- exits: (\d+) -->/.exec(comment)?.[1] ?? 0),
          file: /<!-- file: (\S+) -->/.exec(comment)?.[1] ?? null,
        });
      }
      if (token.type !== 'space') comment = token.type === 'html' ? token.text : '';
      for (const item of token.type === 'list' ? token.items : []) takeBlocks(item.tokens);
    }
  }
}

const plain = (tokens: readonly Token[]): string =>
  tokens
    .map((token) =>
      'tokens' in token && token.tokens ? plain(token.tokens) : ((token as { text?: string }).text ?? ''),
    )
    .join('');

/** The critmap commands of a script, each in one line, without what they are piped into. */
export function commandsIn({ text }: Block): { command: string; words: string[] }[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*/, ''))
    .flatMap((line) => [...line.matchAll(/\bcritmap (\w[\w-]*)([^|;&]*)/g)])
    .map(([, command, rest]) => ({ command: command!, words: rest!.split(/\s+/).filter(Boolean) }));
}
