/**
 * What every operation of a pickle does to the machine that reads it (pickle-machine.ts), and how protocol 0 writes values as
 * text. Reference: CPython's Lib/pickletools.py.
 */

import { quoted } from '../errors.js';
import { callable, type Machine } from './pickle-machine.js';
import { damaged, PickleError, type PickleValue, plain } from './pickle-values.js';

/** Protocol 0's integers: `12`, `12L`, and `00` and `01` for the two truth values. */
function decimal(line: string): PickleValue {
  if (line === '00' || line === '01') return line === '01';
  const match = /^\s*([+-]?\d{1,150})L?\s*$/.exec(line);
  if (!match) throw damaged(`${quoted(line)} is no integer`);
  return plain(BigInt(match[1]!.replace('+', '')));
}

function float(line: string): number {
  const named: Record<string, number> = {
    inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
    nan: Number.NaN,
  };
  const text = line.trim();
  if (/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (Object.hasOwn(named, text)) return named[text]!;
  throw damaged(`${quoted(line)} is no number`);
}

/** Protocol 0's byte strings, in quotes; escapes stay as they are, no name that is looked for has any. */
function unquoted(line: string): string {
  const match = /^(['"])(.*)\1\s*$/s.exec(line);
  if (!match) throw damaged('a string without quotes');
  return match[2]!;
}

/** `\uXXXX` of protocol 0's raw-unicode-escape. */
function unescaped(line: string): string {
  return line.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function notSupported(what: string) {
  return () => {
    throw new PickleError(`its pickle uses ${what}, which torch.save does not`, 'save it with torch.save');
  };
}

/** By code: the operations of pickletools' list, under their names there. */
export const operations: Readonly<Record<number, (machine: Machine) => void>> = {
  // PROTO, FRAME
  128: (m) => {
    const version = m.uint(1);
    if (version > 5) throw damaged(`protocol ${version}`);
  },
  149: (m) => void m.length64(),
  // MARK, POP, POP_MARK, DUP
  40: (m) => m.mark(),
  48: (m) => m.drop(),
  49: (m) => void m.popMarked(),
  50: (m) => m.push(m.top()),
  // NONE, NEWTRUE, NEWFALSE
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  // INT, LONG, BININT, BININT1, BININT2, LONG1, LONG4
  73: (m) => m.push(decimal(m.line())),
  76: (m) => m.push(decimal(m.line())),
  74: (m) => m.push(m.int32()),
  75: (m) => m.push(m.uint(1)),
  77: (m) => m.push(m.uint(2)),
  138: (m) => m.push(m.long(m.uint(1))),
  139: (m) => m.push(m.long(m.uint(4))),
  // FLOAT, BINFLOAT
  70: (m) => m.push(float(m.line())),
  71: (m) => m.push(m.float64()),
  // STRING, BINSTRING, SHORT_BINSTRING: Python 2's bytes, which were its names too
  83: (m) => m.push(unquoted(m.line())),
  84: (m) => m.push(m.text(m.uint(4), 'latin1')),
  85: (m) => m.push(m.text(m.uint(1), 'latin1')),
  // UNICODE, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
  86: (m) => m.push(unescaped(m.line())),
  88: (m) => m.push(m.text(m.uint(4), 'utf8')),
  140: (m) => m.push(m.text(m.uint(1), 'utf8')),
  141: (m) => m.push(m.text(m.length64(), 'utf8')),
  // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
  66: (m) => m.pushRaw(m.uint(4)),
  67: (m) => m.pushRaw(m.uint(1)),
  142: (m) => m.pushRaw(m.length64()),
  150: (m) => m.pushRaw(m.length64()),
  // NEXT_BUFFER, READONLY_BUFFER
  151: notSupported('buffers outside the file'),
  152: notSupported('buffers outside the file'),
  // EMPTY_LIST, LIST, APPEND, APPENDS
  93: (m) => m.pushList([]),
  108: (m) => m.pushList(m.popMarked()),
  97: (m) => m.append([m.pop()]),
  101: (m) => m.append(m.popMarked()),
  // EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
  41: (m) => m.pushList([]),
  116: (m) => m.pushList(m.popMarked()),
  133: (m) => m.pushList(m.popMany(1)),
  134: (m) => m.pushList(m.popMany(2)),
  135: (m) => m.pushList(m.popMany(3)),
  // EMPTY_DICT, DICT, SETITEM, SETITEMS
  125: (m) => m.pushDict([]),
  100: (m) => m.pushDict(m.popMarked()),
  115: (m) => m.setItems(m.popMany(2)),
  117: (m) => m.setItems(m.popMarked()),
  // EMPTY_SET, ADDITEMS, FROZENSET
  143: (m) => m.pushList([]),
  144: (m) => m.append(m.popMarked()),
  145: (m) => m.pushList(m.popMarked()),
  // GET, BINGET, LONG_BINGET, PUT, BINPUT, LONG_BINPUT, MEMOIZE
  103: (m) => m.recall(Number(decimal(m.line()))),
  104: (m) => m.recall(m.uint(1)),
  106: (m) => m.recall(m.uint(4)),
  112: (m) => m.store(Number(decimal(m.line()))),
  113: (m) => m.store(m.uint(1)),
  114: (m) => m.store(m.uint(4)),
  148: (m) => m.memoize(),
  // EXT1, EXT2, EXT4
  130: notSupported('registered extensions'),
  131: notSupported('registered extensions'),
  132: notSupported('registered extensions'),
  // GLOBAL, STACK_GLOBAL
  99: (m) => m.global(m.line(), m.line()),
  147: (m) => {
    const name = m.popText();
    m.global(m.popText(), name);
  },
  // REDUCE, NEWOBJ, NEWOBJ_EX
  82: (m) => {
    const args = m.popTuple();
    m.call(m.popGlobal(), args);
  },
  129: (m) => {
    const args = m.popTuple();
    m.call(m.popGlobal(), args);
  },
  146: (m) => {
    m.pop();
    const args = m.popTuple();
    m.call(m.popGlobal(), args);
  },
  // INST, OBJ
  105: (m) => {
    m.global(m.line(), m.line());
    const known = m.popGlobal();
    m.call(known, m.popMarked());
  },
  111: (m) => {
    const [called, ...args] = m.popMarked();
    m.call(callable(called), args);
  },
  // BUILD
  98: (m) => m.build(),
  // PERSID, BINPERSID
  80: (m) => m.persistent(m.line()),
  81: (m) => m.persistent(m.pop()),
};
