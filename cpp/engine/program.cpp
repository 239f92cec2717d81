#include "engine/program.h"

#include <cmath>
#include <stdexcept>

namespace critmap {
namespace {

constexpr int type_float = 1;
constexpr size_t most_bytes = size_t(1) << 40;
constexpr size_t most_keys = size_t(1) << 24;

[[noreturn]] void refuse(const std::string& what) { throw std::out_of_range(what); }

template <class List>
void require_index(size_t index, const List& list, const std::string& name, const char* of) {
  if (index < list.size()) return;
  refuse(name + " must be less than the number of " + of + ", " + std::to_string(list.size()));
}

std::string shape_text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); i++) {
    text += (i ? ", " : "") + (dims[i] < 0 ? "?" : std::to_string(dims[i]));
  }
  return text + "]";
}

void measure(TensorSlot& slot, const std::string& name) {
  const size_t width = element_bytes(slot.type);
  if (!width) refuse(name + ".type must be an ONNX element type of fixed size");
  slot.elements = 1;
  for (const int64_t dim : slot.dims) {
    if (dim < 1) refuse(name + ".dims must be positive");
    if (size_t(dim) > most_bytes / width / slot.elements) refuse(name + " is larger than 2 ** 40 bytes");
    slot.elements *= size_t(dim);
  }
  slot.bytes = slot.elements * width;
}

void check_slots(Program& program) {
  for (size_t i = 0; i < program.slots.size(); i++) {
    TensorSlot& slot = program.slots[i];
    measure(slot, entry("slots", i));
    if (slot.base != i) continue;
    if (slot.offset % 64) refuse(entry("slots", i) + ".offset must be a multiple of 64 bytes");
    if (slot.offset > most_bytes) refuse(entry("slots", i) + ".offset is larger than 2 ** 40 bytes");
  }
  for (size_t i = 0; i < program.slots.size(); i++) {
    TensorSlot& slot = program.slots[i];
    if (slot.base == i) continue;
    const std::string name = entry("slots", i);
    require_index(slot.base, program.slots, name + ".view.slot", "slots");
    const TensorSlot& base = program.slots[slot.base];
    if (base.base != slot.base) refuse(name + ".view.slot must not be a view");
    // What vector loads want on a card; those of the processor are happy with less.
    if (slot.offset % 16) refuse(name + ".view.offset must be a multiple of 16 bytes");
    if (slot.offset > base.bytes || slot.bytes > base.bytes - slot.offset) {
      refuse(name + " must lie in the slot that it views");
    }
    slot.storage = base.storage;
    slot.offset += base.offset;
  }
  program.storage_bytes.clear();
  for (size_t i = 0; i < program.slots.size(); i++) {
    const TensorSlot& slot = program.slots[i];
    if (slot.storage >= program.slots.size()) {
      refuse(entry("slots", i) + ".storage must be less than the number of slots");
    }
    if (slot.storage >= program.storage_bytes.size()) program.storage_bytes.resize(slot.storage + 1);
    if (slot.base == i) {
      size_t& bytes = program.storage_bytes[slot.storage];
      bytes = std::max(bytes, slot.offset + slot.bytes);
    }
  }
}

void check_ends(Program& program) {
  require_index(program.input, program.slots, "program.input", "slots");
  require_index(program.logits, program.slots, "program.logits", "slots");
  const TensorSlot &input = program.slots[program.input], &logits = program.slots[program.logits];
  if (input.type != type_float || input.dims.size() != 4) {
    refuse("program.input must be a float32 slot [batch, channels, height, width]");
  }
  if (logits.type != type_float || logits.dims.size() != 2 || logits.dims[0] != input.dims[0]) {
    refuse("program.logits must be a float32 slot [batch, classes]");
  }
  program.batch = size_t(input.dims[0]);
  if (program.slices == 0 || program.batch % program.slices) {
    refuse("program.slices must be a divisor of the batch, " + std::to_string(program.batch));
  }
  if (program.keys > most_keys / program.slices) {
    refuse("program.keys must be at most 2 ** 24 for all slices together");
  }
  program.classes = size_t(logits.dims[1]);
}

void check_port(const TensorSlot& slot, const ort::Port& port, const std::string& name,
                const std::string& session) {
  const std::string of = " for " + port.name + " of session " + session;
  if (slot.type != port.type) {
    refuse(name + " has element type " + std::to_string(slot.type) + ", it must be " +
           std::to_string(port.type) + of);
  }
  bool fits = port.dims.empty() || port.dims.size() == slot.dims.size();
  for (size_t i = 0; fits && i < port.dims.size(); i++) {
    fits = port.dims[i] < 0 || port.dims[i] == slot.dims[i];
  }
  if (!fits)
    refuse(name + " has the shape " + shape_text(slot.dims) + ", it must be " + shape_text(port.dims) + of);
}

bool overlap(const TensorSlot& a, const TensorSlot& b) {
  return a.storage == b.storage && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

void check_ports(const Program& program, std::span<const size_t> slots, std::span<const ort::Port> ports,
                 const std::string& name, const std::string& session) {
  if (slots.size() != ports.size()) {
    refuse(name + " has " + std::to_string(slots.size()) + " slots, session " + session + " has " +
           std::to_string(ports.size()));
  }
  for (size_t i = 0; i < slots.size(); i++) {
    const std::string one = name + "[" + std::to_string(i) + "]";
    require_index(slots[i], program.slots, one, "slots");
    check_port(program.slots[slots[i]], ports[i], one, session);
  }
}

void check_run(const Program& program, const Step& step, const std::string& name) {
  require_index(step.session, program.sessions, name + ".session", "sessions");
  const auto& session = program.sessions[step.session];
  if (!session) refuse(name + ".session " + std::to_string(step.session) + " was not created");
  check_ports(program, step.inputs, session->on(0).inputs(), name + ".inputs", session->name);
  check_ports(program, step.outputs, session->on(0).outputs(), name + ".outputs", session->name);
  for (size_t i = 0; i < step.outputs.size(); i++) {
    const TensorSlot& output = program.slots[step.outputs[i]];
    const std::string one = name + ".outputs[" + std::to_string(i) + "]";
    for (const size_t input : step.inputs) {
      if (overlap(output, program.slots[input])) refuse(one + " shares memory with an input");
    }
    for (size_t j = 0; j < i; j++) {
      if (overlap(output, program.slots[step.outputs[j]])) refuse(one + " shares memory with another output");
    }
  }
}

void check_constant(const Program& program, std::optional<size_t> index, size_t length,
                    const std::string& name) {
  if (!index) return;
  require_index(*index, program.constants, name, "constants");
  const size_t actual = program.constants[*index]->values.size();
  if (actual == length) return;
  refuse(name + " has " + std::to_string(actual) + " elements, it must have " + std::to_string(length));
}

// Whether the slot has the size that the order gives.
bool holds(const TensorSlot& slot, const Blocked& order) {
  size_t product = 1;
  for (const size_t factor : {order.outputs, order.inputs, order.kernel}) {
    if (factor > slot.elements / product) return false;
    product *= factor;
  }
  return order.block <= slot.elements && order.input_block <= slot.elements &&
         order.blocked_elements() == slot.elements;
}

void check_reset(Program& program, const Step& step, const std::string& name) {
  const TensorSlot& slot = program.slots[step.slot];
  size_t length = slot.elements;
  if (step.blocked) {
    if (!holds(slot, *step.blocked)) refuse(name + ".slot must have the size that blocked gives");
    length = step.blocked->elements();
    program.reordered_elements = std::max(program.reordered_elements, length);
  }
  check_constant(program, step.source, length, name + ".source");
  check_constant(program, step.donor, length, name + ".rule.donor");
  check_constant(program, step.shift, length, name + ".shift");
  if (step.layout) {
    const size_t channels = step.layout->channels, inner = step.layout->inner;
    if (channels > length || inner > length / channels || length % (channels * inner)) {
      refuse(name + ".slot's length must be a multiple of layout.channels * layout.inner");
    }
  }
  if (step.factor) {
    if (!step.layout) refuse(name + ".layout must be given with factor");
    check_constant(program, step.factor, step.layout->channels, name + ".factor");
    for (const float factor : program.constants[*step.factor]->values) {
      if (!std::isfinite(factor)) refuse(name + ".factor must be finite");
    }
  }
  if (step.scales) {
    if (!step.layout) refuse(name + ".layout must be given with rule.scales");
    check_constant(program, step.scales, step.layout->channels, name + ".rule.scales");
    if (!are_scales(program.constants[*step.scales]->values)) {
      refuse(name + ".rule.scales must be from 2 ** -126 to 2 ** 126");
    }
  }
  if (step.key && *step.key >= program.keys) {
    refuse(name + ".rule.key must be less than the program's number of keys, " +
           std::to_string(program.keys));
  }
  if (step.rule.kind == ResetKind::shuffle && length > 0xffffffffu) {
    refuse(name + ".slot must have fewer than 2 ** 32 elements to be shuffled");
  }
}

void check_step(Program& program, const Step& step, const std::string& name) {
  for (const size_t cell : step.cells) require_index(cell, program.cells, name + ".cell", "cells");
  if (step.slice && *step.slice >= program.slices) {
    refuse(name + ".slice must be less than the number of slices, " + std::to_string(program.slices));
  }
  if (step.kind == StepKind::run) return check_run(program, step, name);
  require_index(step.slot, program.slots, name + ".slot", "slots");
  const TensorSlot& slot = program.slots[step.slot];
  if (slot.type != type_float) refuse(name + ".slot must be float32");
  if (step.kind == StepKind::reset) return check_reset(program, step, name);
  if (slot.dims != program.slots[program.logits].dims) {
    refuse(name + ".slot must have the shape of program.logits, " +
           shape_text(program.slots[program.logits].dims));
  }
}

}  // namespace

std::string entry(const char* list, size_t index) {
  return std::string("program.") + list + "[" + std::to_string(index) + "]";
}

size_t element_bytes(int type) {
  switch (type) {
    case 2:  // uint8
    case 3:  // int8
    case 9:  // bool
      return 1;
    case 4:   // uint16
    case 5:   // int16
    case 10:  // float16
    case 16:  // bfloat16
      return 2;
    case 1:   // float32
    case 6:   // int32
    case 12:  // uint32
      return 4;
    case 7:   // int64
    case 11:  // float64
    case 13:  // uint64
      return 8;
  }
  return 0;
}

size_t Program::slot_bytes() const {
  size_t sum = 0;
  for (const size_t bytes : storage_bytes) sum += bytes;
  return sum;
}

void check(Program& program) {
  program.reordered_elements = 0;
  check_slots(program);
  check_ends(program);
  for (size_t i = 0; i < program.steps.size(); i++) check_step(program, program.steps[i], entry("steps", i));
  check_order(program);
  std::vector<Step*> last(program.cells.size());
  for (Step& step : program.steps) {
    step.completes.clear();
    // The first slice is there in every batch.
    if (step.kind == StepKind::run && step.slice.value_or(0) == 0)
      for (const size_t cell : step.cells) last[cell] = &step;
  }
  for (size_t cell = 0; cell < last.size(); cell++)
    if (last[cell]) last[cell]->completes.push_back(cell);
}

}  // namespace critmap
