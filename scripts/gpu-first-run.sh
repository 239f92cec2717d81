#!/usr/bin/env bash
# What a machine with a card is asked first: does critmap compute right on it, and how fast? Every step is bounded and
# writes what it finds as it comes, so that a run that is cut short has said what it could.
#
#   scripts/gpu-first-run.sh steps
#   scripts/gpu-first-run.sh run  [--carry gpu-carry] [--out gpu-first-run] [--seconds 540] [--steps NAME,NAME…]
#   scripts/gpu-first-run.sh pack --onnxruntime FOLDER [--to gpu-carry] [--part-mib 40]
#
# `run` needs no network and no Node.js: nvcc and CMake build gpu-check there, a Python with torch (CRITMAP_PYTHON) is the
# baseline. Sweeps take what `pack` makes on a machine with Node.js, where the addon is built for the card: Node.js, the
# addon, the compiled code and its dependencies, and an ONNX Runtime with its CUDA provider (the FOLDER has
# libonnxruntime.so.1, libonnxruntime_providers_shared.so and libonnxruntime_providers_cuda.so, all of one version), in
# parts that can be carried one by one into the same folder.
#
# Ends with 0 when all went well, 1 when a step failed, 77 without a card: then all was done that needs none.
set -u -o pipefail
script=$(realpath "${BASH_SOURCE[0]}")
cd "$(dirname "$script")/.." || exit 1

usage() {
  sed -n 's/^#   \(scripts.*\)/\1/p' "$script" >&2
  exit 2
}

fail() {
  echo "$1" >&2
  exit 1
}

# Why a step cannot be done here.
impossible() {
  echo "$1"
  exit 77
}

# ---- the steps: name, seconds at most, what for

list_steps() {
  cat <<'TEXT'
machine 60 the card, its driver, the tools, and the Python with torch
build 150 gpu-check, for this card's kind
small 90 gpu-check --small: every kernel against the processor, bit by bit
memcheck 180 the same under compute-sanitizer: accesses out of bounds
racecheck 180 the same: races in shared memory
speeds 420 the kernels' speeds, then every kernel on large arrays too
torch 180 the published algorithm in PyTorch, ResNet-50 at batch 128 in three precisions
unpack 180 the carried parts joined, and whether the CUDA provider finds its libraries
devices 60 critmap devices: whether the addon finds the card
agreement 180 the demo's model and a ResNet-50, fp32: the card's logits against the processor's
sweeps 420 ResNet-50 at batch 32, 128 and 256 in three precisions, with the card's memory
layout 300 the same with channels last, at batch 128 in fp32 and fp16
bench 420 npm run bench -- gpu, whose record is gpu-….json
TEXT
}

needs_card() { [ -n "$card" ] || impossible 'no card'; }

do_machine() {
  nvidia-smi || echo 'no nvidia-smi'
  local tool
  for tool in nvcc cmake compute-sanitizer g++ xz; do
    printf '%s: %s\n' "$tool" "$("$tool" --version 2>&1 | grep -v '^[[:space:]]*$' | tail -1)"
  done
  free -g | sed -n 2p
  echo "$(nproc) processors"
  "$python" -c '
import torch
print("torch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())' ||
    echo "$python has no torch"
}

do_build() {
  command -v nvcc >/dev/null || impossible 'no nvcc on PATH or in /usr/local/cuda/bin'
  cmake -S cpp/gpu-check -B build-gpu-check -DCRITMAP_CUDA=ON "-DCRITMAP_CUDA_ARCHITECTURES=${card:-90}" &&
    cmake --build build-gpu-check --parallel
}

gpu_check() {
  needs_card
  [ -x build-gpu-check/gpu-check ] || impossible 'gpu-check is not built'
  "$@"
}

sanitized() {
  command -v compute-sanitizer >/dev/null || impossible 'no compute-sanitizer'
  gpu_check compute-sanitizer --tool "$1" --error-exitcode 1 build-gpu-check/gpu-check --small
}

do_small() { gpu_check build-gpu-check/gpu-check --small; }
do_memcheck() { sanitized memcheck; }
do_racecheck() { sanitized racecheck; }
do_speeds() { gpu_check build-gpu-check/gpu-check; }

do_torch() {
  needs_card
  local precision
  for precision in fp32 tf32 fp16; do
    echo "$precision"
    printf 'go\ngo\n' | "$python" bench/gpu.py cuda:0 "$precision" 128 512 54 || exit
  done
}

# Where CUDA's and cuDNN's libraries of that Python are.
nvidia_folders() {
  "$python" -c '
import glob, sysconfig
print(":".join(sorted(glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib"))))'
}

do_unpack() {
  [ -e "$carry/sums" ] || impossible "no parts in $carry; make them with pack"
  (cd "$carry" && sha256sum --quiet -c sums) || fail "$carry: not all parts are there, or one is damaged"
  mkdir -p "$carry/tree"
  local name
  for name in code binaries; do
    cat "$carry/part-$name-"* | unxz_anyhow | tar --extract -C "$carry/tree" || exit
  done
  local missing
  missing=$(LD_LIBRARY_PATH=$(nvidia_folders) ldd "$carry/tree/onnxruntime/libonnxruntime_providers_cuda.so" |
    sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | sort -u | tr '\n' ' ')
  if [ -n "$missing" ]; then
    echo "unpacked; the CUDA provider does not find ${missing% }"
    # The driver's library is there with a card.
    [ -z "$card" ] && exit 77
    exit 1
  fi
  echo 'unpacked; the CUDA provider finds its libraries'
}

unxz_anyhow() {
  if command -v xz >/dev/null; then
    xz --decompress --stdout
  else
    "$python" -c '
import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'
  fi
}

# The carried Node.js in the carried tree.
carried() {
  local tree="$carry/tree"
  [ -x "$tree/bin/node" ] || impossible 'nothing is unpacked'
  cd "$tree" || exit
  PATH="$tree/bin:$PATH" LD_LIBRARY_PATH=$(nvidia_folders) CRITMAP_ONNXRUNTIME="$tree/onnxruntime" \
    CRITMAP_PYTHON=$python node "$@"
}

do_devices() { carried dist/cli.js devices; }
do_agreement() {
  needs_card
  carried bench/gpu-first.mjs agreement
}
do_sweeps() {
  needs_card
  carried bench/gpu-first.mjs sweeps --out "$out/sweeps.json"
}
do_layout() {
  needs_card
  CRITMAP_CUDA_LAYOUT=nhwc carried bench/gpu-first.mjs sweeps --batch 128 --precision fp32,fp16 \
    --out "$out/channels-last.json"
}
do_bench() {
  needs_card
  carried bench/index.mjs gpu --rounds 1 --batch 128 --results "$out"
}

# ---- run

say() { printf '%s\n' "$*" | tee -a "$out/summary.txt"; }

# Runs a step in a process of its own, at most so long. What it prints goes to a file, its last line to the summary.
step() {
  local name=$1 limit=$2 left=$((deadline - SECONDS)) began=$SECONDS status last
  [ "$left" -ge 5 ] || { say "$(printf '%-10s left out: the time is used up' "$name")"; return; }
  [ "$left" -ge "$limit" ] || limit=$left
  timeout --kill-after=5 "$limit" "$script" one "$name" </dev/null >"$out/$name.txt" 2>&1
  status=$?
  last=$(grep -v '^[[:space:]]*$' "$out/$name.txt" | tail -1 | cut -c1-200)
  case $status in
  0) say "$(printf '%-10s well, %d s: %s' "$name" $((SECONDS - began)) "$last")" ;;
  77) say "$(printf '%-10s not possible here: %s' "$name" "$last")" ;;
  124 | 137) failed "$(printf '%-10s CUT SHORT after %d s: %s' "$name" "$limit" "$last")" ;;
  *) failed "$(printf '%-10s FAILED with %d: %s' "$name" "$status" "$last")" ;;
  esac
}

failed() {
  failures=$((failures + 1))
  say "$1"
}

run() {
  carry=gpu-carry out=gpu-first-run failures=0
  local seconds=540 wanted name limit rest
  wanted=$(list_steps | cut -d' ' -f1)
  local known=$wanted
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --carry) carry=$2 ;;
    --out) out=$2 ;;
    --seconds) seconds=$2 ;;
    --steps) wanted=$(tr ',' '\n' <<<"$2") ;;
    *) usage ;;
    esac
    shift 2
  done
  for name in $wanted; do
    grep -qx "$name" <<<"$known" || fail "--steps: there is no $name; there are ${known//$'\n'/, }"
  done
  mkdir -p "$out"
  carry=$(realpath -m "$carry") out=$(realpath "$out") deadline=$((SECONDS + seconds))
  python=$(command -v "${CRITMAP_PYTHON:-python3}")
  command -v nvcc >/dev/null || PATH="$PATH:/usr/local/cuda/bin"
  card=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -d .)
  export carry out card python PATH
  while read -r name limit rest; do
    if grep -qx "$name" <<<"$wanted"; then step "$name" "$limit"; fi
  done < <(list_steps)
  [ -n "$card" ] || { say 'No card: nvidia-smi finds none. What is above is all that can be seen without one.'; exit 77; }
  say "$failures steps failed"
  [ "$failures" -eq 0 ]
}

# ---- pack

archive() { # FILE, then what tar is told
  local file=$1
  shift
  tar --create --sort=name --owner=0 --group=0 "$@" | xz -6 -T0 >"$file" || exit
}

pack() {
  local to=gpu-carry onnxruntime='' part_mib=40 name work
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --to) to=$2 ;;
    --onnxruntime) onnxruntime=$2 ;;
    --part-mib) part_mib=$2 ;;
    *) usage ;;
    esac
    shift 2
  done
  [ -n "$onnxruntime" ] || usage
  for name in libonnxruntime.so.1 libonnxruntime_providers_shared.so libonnxruntime_providers_cuda.so; do
    [ -e "$onnxruntime/$name" ] || fail "--onnxruntime: $onnxruntime has no $name"
  done
  for name in build/Release/critmap.node dist/cli.js node_modules; do
    [ -e "$name" ] || fail "$name is missing; run npm run bootstrap first"
  done
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # now
  trap "rm -rf '$work'" EXIT
  mkdir "$work/bin" "$work/onnxruntime"
  cp "$(node -p process.execPath)" "$work/bin/node"
  strip "$work/bin/node" 2>/dev/null
  cp -L "$onnxruntime"/libonnxruntime{.so.1,_providers_shared.so,_providers_cuda.so} "$work/onnxruntime/"
  mkdir -p "$to"
  rm -f "$to"/part-* "$to/sums"
  # What users of the package have of the dependencies, without what other platforms run.
  npm ls --omit=dev --all --parseable 2>/dev/null | sed -n "s|^$PWD/||p" | sort -u >"$work/dependencies"
  archive "$work/code" --exclude='*.map' --exclude='*.md' --exclude='*.d.ts' --exclude='darwin' --exclude='win32' \
    --exclude='linux/arm64' dist bench examples/fashion build/Release/critmap.node package.json \
    --files-from="$work/dependencies"
  archive "$work/binaries" -C "$work" bin onnxruntime
  for name in code binaries; do split --bytes="${part_mib}M" --numeric-suffixes "$work/$name" "$to/part-$name-"; done
  (cd "$to" && sha256sum part-* >sums)
  du -h "$to"/part-*
}

case ${1:-} in
steps) list_steps ;;
run | pack) "$@" ;;
one) "do_$2" ;;
*) usage ;;
esac
