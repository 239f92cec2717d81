// A sweep over one batch, compiled: tensors with static shapes and the steps that fill them, in order.
// Written by src/plan; checked here against the sessions before it runs, so that running it can read and
// write only memory it owns. A Program does not change once it is loaded and all workers share it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "onnxruntime/session.h"
#include "resets/blocked.h"
#include "resets/reset.h"

namespace critmap {

// Numbers shared by all workers, never written: original weights, donors, factors.
struct Constant {
  std::vector<float> values;
};

class Device;

struct LoadedSession {
  struct OnDevice {
    // Freed last.
    std::shared_ptr<Device> device;
    std::unique_ptr<ort::Session> session;
  };

  std::string name;
  std::vector<std::shared_ptr<const Constant>> constants;
  std::vector<ort::Value> values;
  // One for each of the engine's devices, in their order; freed before the values that they borrow.
  std::vector<OnDevice> copies;

  const ort::Session& on(size_t device) const { return *copies[device].session; }
};

// A tensor that each worker owns.
struct TensorSlot {
  // ONNX TensorProto.DataType.
  int type;
  std::vector<int64_t> dims;
  // The buffer it lies in; slots that share one are not alive at the same time.
  size_t storage;
  // A view: rows of another slot. `base` is the slot itself otherwise.
  size_t base;
  // In the buffer, in bytes.
  size_t offset;
  // Set by `check`.
  size_t elements, bytes;
};

enum class StepKind { run, reset, compare };

struct Step {
  StepKind kind;
  // The step runs if one of these is active; always if there are none. Compare has exactly one.
  std::vector<size_t> cells;
  // run, reset: only for batches that have images of this slice, with its keys.
  std::optional<size_t> slice;
  // run
  size_t session;
  std::vector<size_t> inputs, outputs;
  // reset, compare
  size_t slot;
  // Constants by index: copied into the slot first, multiplied in, added after that, mixed in, divided by.
  std::optional<size_t> source, factor, shift, donor, scales;
  ResetRule rule;
  // Where a random rule's key is among those of a slice.
  std::optional<size_t> key;
  std::optional<ResetLayout> layout;
  // How the slot stores the parameter; everything else of the step is in the parameter's own order.
  std::optional<Blocked> blocked;
  // run: cells that have their logits with this step. Set by `check`.
  std::vector<size_t> completes;
};

struct Program {
  std::vector<TensorSlot> slots;
  // Names, for messages.
  std::vector<std::string> cells;
  std::vector<Step> steps;
  size_t input, logits;
  // A batch is so many slices, of as many images each, one behind the other; the last ones may be missing.
  size_t slices;
  // How many keys come with each slice.
  size_t keys;

  std::vector<std::shared_ptr<const LoadedSession>> sessions;
  std::vector<std::shared_ptr<const Constant>> constants;
  // Indices into the engine's constants, which `Engine::load` makes `constants` of.
  std::vector<size_t> constant_indices;
  // Set by `check`.
  size_t batch, classes;
  std::vector<size_t> storage_bytes;
  // Of the largest parameter that is stored in another order.
  size_t reordered_elements;

  size_t slot_bytes() const;
  size_t image_elements() const { return slots[input].elements / batch; }
  size_t channels() const { return size_t(slots[input].dims[1]); }
  // Of the step's key among those of a batch.
  size_t key_index(const Step& step) const { return step.slice.value_or(0) * keys + *step.key; }
  // Whether a batch of so many images has some of the step's slice.
  bool has_slice(const Step& step, size_t count) const {
    return step.slice.value_or(0) * (batch / slices) < count;
  }
};

// Checks everything and fills in what is derived. Throws std::out_of_range that names the entry.
void check(Program& program);

// "program.steps[3]"
std::string entry(const char* list, size_t index);

// Bytes of one element, 0 for a type that has no fixed size.
size_t element_bytes(int type);

// program_order.cpp: that every slot a step reads was last written for that slot, by a step that runs
// whenever the reader does: no tensor is read after its buffer went to another one, or before it was
// computed.
void check_order(const Program& program);

}  // namespace critmap
