/**
 * Prints the manual page, critmap(1), made of what `--help` says of every command: `node scripts/man-page.mjs | man -l -`
 * after a build. Packages carry it.
 */
import { fileURLToPath } from 'node:url';
import { helpOf } from '../dist/commands/parser.js';
import { version } from '../dist/version.js';

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(await manPage());

/** @returns the page in man(7)'s macros */
export async function manPage() {
  const [usage, about, ...top] = partsOf(await helpOf([]));
  const commands = top.find(({ heading }) => heading === 'Commands').lines.map(entryOf);
  const lines = [
    `.TH CRITMAP 1 "" "critmap ${version}" "User Commands"`,
    // Long words would tear lines apart that are set to both sides.
    '.ad l',
    ...['.SH NAME', 'critmap \\- measure which layers a trained vision model uses'],
    ...['.SH SYNOPSIS', '.B critmap', '.I COMMAND', 'OPTIONS'],
    ...['.SH DESCRIPTION', text(about.lines.join(' '))],
    'It resets the weights of one layer at a time, runs the model over images, and measures how far its predictions move.',
  ];
  if (!usage.lines[0].startsWith('critmap')) throw new Error('the help begins in another way');
  lines.push('.SH COMMANDS');
  for (const { term } of commands) {
    const [, name] = term.split(' ');
    lines.push(`.SS "${text(term)}"`, ...(await commandLines(name, commands)));
  }
  lines.push(
    '.SH EXIT STATUS',
    ...entry('0', 'done'),
    ...entry('1', 'failed'),
    ...entry('2', 'wrong usage'),
    ...entry('130', 'interrupted; what was finished is kept'),
    ...entry('129', 'the terminal was closed (SIGHUP); likewise'),
    ...entry('143', 'ended with SIGTERM, as a scheduler does; likewise'),
    '.SH ENVIRONMENT',
    ...entry('CRITMAP_ADDON', 'the native addon to load, a file'),
    ...entry('CRITMAP_ONNXRUNTIME', "ONNX Runtime's library or its folder"),
    ...entry('CRITMAP_DEBUG', '1 shows where an error comes from'),
    ...entry('HF_TOKEN', 'the token for models on the Hugging Face hub that need one'),
    ...entry('HF_HOME, HF_HUB_CACHE', 'where the hub keeps its files (default: ~/.cache/huggingface)'),
    ...entry('HF_ENDPOINT', 'another address of the hub'),
    ...entry('HF_HUB_OFFLINE', '1 fetches nothing; what is in its cache is used'),
    ...entry('CRITMAP_REDIS_URL', "the queue's server, in place of --redis"),
    ...entry('CRITMAP_REDIS_USERNAME, CRITMAP_REDIS_PASSWORD', 'who to be there'),
    ...entry('NO_COLOR, FORCE_COLOR', 'print without colours; with them, also into a pipe'),
    ...entry('XDG_CACHE_HOME', 'where the cache is (default: ~/.cache)'),
    ...['.SH SEE ALSO', "The pages in the package's folder", '.IR docs .'],
  );
  return `${lines.join('\n')}\n`;
}

async function commandLines(name, commands) {
  // Of this one yargs makes no help.
  if (name === 'completion') {
    return [
      text(commands.find(({ term }) => term.includes(name)).says),
      '.RS',
      '.PP',
      'critmap completion >> ~/.bashrc',
      '.RE',
    ];
  }
  const [, about, ...parts] = partsOf(await helpOf([name]));
  const lines = [text(about.lines.join(' '))];
  for (const { heading, lines: entries } of parts) {
    const found = entries.map(entryOf).filter(({ term }) => !/--(help|version)$/.test(term));
    if (found.length === 0) continue;
    lines.push('.PP', `.I ${text(heading)}:`);
    if (heading === 'Examples') {
      for (const { term, says } of found)
        lines.push('.PP', ...(says ? [`${text(says)}:`] : []), '.RS', '.PP', text(term), '.RE');
    } else for (const { term, says } of found) lines.push(...entry(term, says));
  }
  return lines;
}

/** Paragraphs of a help text: with a heading and entries, or without either. */
function partsOf(help) {
  return help
    .trim()
    .split(/\n\s*\n/)
    .map((part) => {
      const lines = part.split('\n');
      const heading = /^(\S.*):$/.exec(lines[0])?.[1];
      return { heading, lines: heading ? lines.slice(1) : lines };
    });
}

/** What is typed, and what is said of it: two spaces part them. */
function entryOf(line) {
  const [term, ...says] = line.trim().split(/\s{2,}/);
  return { term, says: says.join(' ') };
}

function entry(term, says) {
  return ['.TP', `.B ${text(term)}`, text(says)];
}

/** Letters that roff takes for its own. */
function text(words) {
  return (
    words
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replaceAll('"', '\\(dq')
      .replaceAll('~', '\\(ti')
      .replaceAll('^', '\\(ha')
      .replaceAll('`', '\\(ga')
      .replaceAll("'", '\\(aq')
      // Lists may be cut behind a comma.
      .replaceAll(/,(?=\S)/g, ',\\:')
      // Whatever encoding the reader's groff takes.
      .replace(
        /[^\0-\x7f]/gu,
        (sign) => `\\[u${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
      )
      .replace(/^\./, '\\&.')
  );
}
