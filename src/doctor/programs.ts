/** critmap itself, Node.js, and the programs that build the addon. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { packageRoot, version } from '../version.js';
import type { Finding } from './check.js';

/** The oldest Node.js that package.json names. */
const LEAST_NODE = [20, 17] as const;

export function critmapItself(): Finding {
  return { found: `${version} in ${packageRoot}`, facts: { version, folder: packageRoot } };
}

export function nodeVersion(node = process.versions.node): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const isOld = major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]);
  return {
    found: `${node} for ${process.platform}-${process.arch}${isOld ? ', which is too old' : ''}`,
    ...(isOld && {
      state: 'problem',
      remedy: `Install Node.js ${LEAST_NODE.join('.')} or newer: https://nodejs.org`,
    }),
    facts: { version: node, least: LEAST_NODE.join('.'), platform: process.platform, arch: process.arch },
  };
}

const INSTALL: Record<string, string> = {
  darwin: 'xcode-select --install; brew install cmake ninja',
  win32: 'winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools',
  linux: 'Debian, Ubuntu: sudo apt-get install cmake g++ make; Fedora: sudo dnf install cmake gcc-c++ make',
};

/** @param isNeeded - whether there is no addon, so that one must be built */
export function buildTools(isNeeded: boolean): Finding {
  const cmake = versionOf('cmake');
  // Visual Studio's compiler is found by CMake alone.
  const compiler =
    process.platform === 'win32' ? null : firstOf(process.env.CXX ?? '', 'c++', 'g++', 'clang++');
  const make = process.platform === 'win32' ? null : firstOf('ninja', 'make');
  const nvcc = firstOf(process.env.CUDACXX ?? '', 'nvcc', '/usr/local/cuda/bin/nvcc');
  const lacking = [
    cmake ?? 'CMake',
    ...(process.platform === 'win32' ? [] : [compiler ?? 'a C++20 compiler', make ?? 'make or ninja']),
  ].filter((one): one is string => typeof one === 'string');
  const there = [cmake, compiler, make, nvcc].flatMap((one) => one ?? []).map((one) => one.text);
  const parts = [there.join(', '), lacking.length > 0 && `${lacking.join(' and ')} missing`].filter(Boolean);
  return {
    found: `${parts.join('; ')} (needed only to build the addon from its sources)`,
    ...(isNeeded &&
      lacking.length > 0 && { state: 'note', remedy: INSTALL[process.platform] ?? INSTALL.linux! }),
    facts: Object.fromEntries(
      Object.entries({ cmake, compiler, make, nvcc }).map(([name, one]) => [name, one?.text ?? null]),
    ),
  };
}

interface Program {
  text: string;
}

function firstOf(...names: string[]): Program | null {
  for (const name of names.filter(Boolean)) {
    const found = versionOf(name);
    if (found) return found;
  }
  return null;
}

/** `g++ 14.2.0`; null for a program that is not there. */
function versionOf(program: string): Program | null {
  if (!isThere(program)) return null;
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const numbers = /\b\d+\.\d+(\.\d+)?/.exec(stdout?.replace(/.*\brelease /s, '') ?? '')?.[0];
  const name = program.split(/[\\/]/).at(-1)!;
  return { text: numbers ? `${name} ${numbers}` : name };
}

function isThere(program: string): boolean {
  if (/[\\/]/.test(program)) return existsSync(program);
  const endings = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.some((folder) => endings.some((ending) => existsSync(join(folder, program + ending))));
}
