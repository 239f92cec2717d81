/** What the tests share: paths of the shipped example and of the fixtures, and PyTorch's answers for them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
export const example = (name: string) =>
  fileURLToPath(new URL(`../examples/fashion/${name}`, import.meta.url));

/** What PyTorch says of a fixture model, written by `oracle/make_onnx_fixtures.py`. */
export interface Truth {
  input: number[];
  layers: {
    name: string;
    type: string;
    weight_shape: number[];
    bias: boolean;
    groups: number;
    shares?: string;
  }[];
  /** Logits of the fixture's images. */
  logits: number[][];
  /** Logits with one layer's weight taken from the donor. */
  donor?: Record<string, number[][]>;
}

export function truth(name: string): Truth {
  return JSON.parse(readFileSync(fixture(`${name}.json`), 'utf8'));
}
