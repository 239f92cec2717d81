import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const cpp = fileURLToPath(new URL('../../../cpp', import.meta.url));
const declared = readFileSync(join(cpp, 'onnxruntime', 'api.h'), 'utf8');
const slots = [...declared.matchAll(/\bSlot<(\d+),[^;]*>\s+(\w+)\{table\};/g)].map(([, number, name]) => ({
  number: Number(number),
  name: name as string,
}));

t.test('every slot is declared once', async (t) => {
  t.ok(slots.length > 30);
  t.equal(slots.length, declared.match(/\{table\};/g)?.length);
  t.equal(new Set(slots.map(({ number }) => number)).size, slots.length);
  t.equal(new Set(slots.map(({ name }) => name)).size, slots.length);
});

/** Compared by the compiler: places in the official table, and signatures with enumerations taken as int. */
const program = `
#include <onnxruntime_c_api.h>
#include <cstddef>
#include <type_traits>
#include "onnxruntime/api.h"

template <class T> struct Plain { using type = std::conditional_t<std::is_enum_v<T>, int, T>; };
template <class T> struct Plain<T*> { using type = std::conditional_t<std::is_enum_v<T>, int, T>*; };
template <class F> struct Bare;
template <class R, class... A> struct Bare<R (*)(A...) noexcept> {
  using type = typename Plain<R>::type (*)(typename Plain<A>::type...);
};
template <class R, class... A> struct Bare<R (*)(A...)> : Bare<R (*)(A...) noexcept> {};
using critmap::ort::Api;

#define SAME(slot, name) \\
  static_assert(decltype(Api::name)::number == slot); \\
  static_assert(offsetof(OrtApi, name) == slot * sizeof(void*), #name " is not slot " #slot); \\
  static_assert(std::is_same_v<Bare<decltype(OrtApi::name)>::type, decltype(Api::name)::Pointer>, #name);
${slots.map(({ number, name }) => `SAME(${number}, ${name})`).join('\n')}

static_assert(critmap::ort::api_version <= ORT_API_VERSION);
static_assert(critmap::ort::log_warning == ORT_LOGGING_LEVEL_WARNING);
static_assert(critmap::ort::log_fatal == ORT_LOGGING_LEVEL_FATAL);
static_assert(critmap::ort::execution_sequential == ORT_SEQUENTIAL);
static_assert(critmap::ort::optimization_all == ORT_ENABLE_ALL);
static_assert(critmap::ort::optimization_extended == ORT_ENABLE_EXTENDED);
static_assert(critmap::ort::arena_allocator == OrtArenaAllocator);
static_assert(critmap::ort::device_allocator == OrtDeviceAllocator);
static_assert(critmap::ort::invalid_argument == ORT_INVALID_ARGUMENT);
static_assert(critmap::ort::default_memory == OrtMemTypeDefault);
static_assert(offsetof(OrtApiBase, GetApi) == offsetof(critmap::ort::ApiBase, get_api));
static_assert(offsetof(OrtApiBase, GetVersionString) == offsetof(critmap::ort::ApiBase, get_version));
int main() {}
`;

const include = process.env.ORT_INCLUDE_DIR;
const skip = include ? false : 'ORT_INCLUDE_DIR does not name a folder with onnxruntime_c_api.h';
t.test('slots, signatures and values are those of the official header', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'critmap-abi-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const source = join(folder, 'abi.cpp');
  writeFileSync(source, program);
  const compiler = process.env.CXX ?? 'c++';
  const options = ['-std=c++20', '-fsyntax-only', '-isystem', include as string, '-I', cpp, source];
  const { status, stderr, error } = spawnSync(compiler, options, { encoding: 'utf8' });
  t.equal(status, 0, error?.message ?? stderr);
});
