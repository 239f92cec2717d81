#include "engine_program.h"

#include <map>

#include "arguments.h"
#include "reset_rule.h"

namespace critmap::binding {
namespace {

constexpr size_t most_cells = size_t(1) << 20;

// The elements of an array, each read by `read(value, name)`.
template <class Read>
auto each(Napi::Value value, const std::string& name, Read read) {
  const Napi::Array list = array(value, name);
  std::vector<decltype(read(value, name))> out;
  // The length may shrink while getters run; what is gone reads as undefined.
  const uint32_t length = list.Length();
  for (uint32_t i = 0; i < length; i++)
    out.push_back(read(list.Get(i), name + "[" + std::to_string(i) + "]"));
  return out;
}

std::optional<size_t> optional_index(Napi::Value value, const std::string& name) {
  if (value.IsUndefined()) return {};
  return index_number(value, name);
}

TensorSlot read_slot(Napi::Value value, const std::string& name, size_t index) {
  const Napi::Object fields = object(value, name.c_str());
  TensorSlot slot{};
  const size_t type = index_number(fields.Get("type"), name + ".type");
  slot.type = int(std::min<size_t>(type, 1000));
  slot.dims = dimensions(fields.Get("dims"), name + ".dims");
  slot.base = index;
  const Napi::Value view = fields.Get("view");
  if (view.IsUndefined()) {
    slot.offset = optional_index(fields.Get("offset"), name + ".offset").value_or(0);
    return slot;
  }
  const Napi::Object of = object(view, (name + ".view").c_str());
  slot.base = index_number(of.Get("slot"), name + ".view.slot");
  if (slot.base == index) throw_range(value.Env(), name + ".view.slot must be another slot");
  slot.offset = index_number(of.Get("offset"), name + ".view.offset");
  return slot;
}

std::vector<TensorSlot> read_slots(Napi::Value value) {
  const Napi::Array list = array(value, "program.slots");
  std::vector<TensorSlot> slots;
  // JavaScript numbers buffers as it likes; here they count from 0, those that nobody shares too.
  std::map<size_t, size_t> named;
  size_t buffers = 0;
  const uint32_t length = list.Length();
  for (uint32_t i = 0; i < length; i++) {
    const std::string name = entry("slots", i);
    const Napi::Value one = list.Get(i);
    TensorSlot slot = read_slot(one, name, i);
    const auto storage = optional_index(one.As<Napi::Object>().Get("storage"), name + ".storage");
    if (slot.base != i && storage) throw_range(value.Env(), name + " must not have both storage and view");
    if (slot.base != i) {
      slot.storage = 0;
    } else if (storage) {
      const auto [found, added] = named.try_emplace(*storage, buffers);
      buffers += added;
      slot.storage = found->second;
    } else {
      slot.storage = buffers++;
    }
    slots.push_back(std::move(slot));
  }
  return slots;
}

std::vector<size_t> read_cells(Napi::Value value, const std::string& name) {
  if (value.IsUndefined()) return {};
  if (value.IsArray()) return each(value, name, index_number);
  return {index_number(value, name)};
}

// A name for every cell; its number if the program has none.
std::vector<std::string> read_cell_names(Napi::Object program) {
  const size_t count = index_number(program.Get("cells"), "program.cells");
  if (count > most_cells) {
    throw_range(program.Env(), "program.cells must be at most " + std::to_string(most_cells));
  }
  const Napi::Value given = program.Get("cellNames");
  std::vector<std::string> names;
  if (given.IsUndefined()) {
    for (size_t i = 0; i < count; i++) names.push_back(std::to_string(i));
    return names;
  }
  names = each(given, "program.cellNames", text);
  if (names.size() != count) throw_range(program.Env(), "program.cellNames must have program.cells elements");
  return names;
}

void read_reset(Napi::Object fields, const std::string& name, Step& step) {
  step.source = optional_index(fields.Get("source"), name + ".source");
  step.factor = optional_index(fields.Get("factor"), name + ".factor");
  step.shift = optional_index(fields.Get("shift"), name + ".shift");
  const Napi::Value blocked = fields.Get("blocked");
  if (!blocked.IsUndefined()) step.blocked = read_blocked(blocked, name + ".blocked");
  const RuleRequest request = read_rule(fields.Get("rule"), name + ".rule", KeyAs::index);
  step.rule = request.rule;
  step.key = request.key_index;
  if (request.donor) step.donor = index_number(*request.donor, name + ".rule.donor");
  if (request.scales) step.scales = index_number(*request.scales, name + ".rule.scales");
  const Napi::Value layout = fields.Get("layout");
  if (!layout.IsUndefined()) step.layout = read_layout(layout, name + ".layout");
}

Step read_step(Napi::Value value, const std::string& name) {
  const Napi::Object fields = object(value, name.c_str());
  Step step{};
  const std::string kind = short_string(fields.Get("kind"), (name + ".kind").c_str());
  const Napi::Value cell = fields.Get("cell");
  step.cells = read_cells(cell, name + ".cell");
  step.slice = optional_index(fields.Get("slice"), name + ".slice");
  if (kind == "run") {
    step.kind = StepKind::run;
    step.session = index_number(fields.Get("session"), name + ".session");
    step.inputs = each(fields.Get("inputs"), name + ".inputs", index_number);
    step.outputs = each(fields.Get("outputs"), name + ".outputs", index_number);
    return step;
  }
  step.slot = index_number(fields.Get("slot"), name + ".slot");
  if (kind == "reset") {
    step.kind = StepKind::reset;
    read_reset(fields, name, step);
  } else if (kind == "compare") {
    step.kind = StepKind::compare;
    if (step.cells.size() != 1) throw_type(value.Env(), name + ".cell must be one cell");
    if (step.slice) throw_range(value.Env(), name + " must not have a slice: all of a batch is compared");
  } else {
    throw_range(value.Env(), name + ".kind must be run, reset or compare");
  }
  return step;
}

}  // namespace

Napi::Array array(Napi::Value value, const std::string& name) {
  if (!value.IsArray()) throw_type(value.Env(), name + " must be an array");
  return value.As<Napi::Array>();
}

std::vector<int64_t> dimensions(Napi::Value value, const std::string& name) {
  return each(value, name,
              [](Napi::Value dim, const std::string& one) { return int64_t(index_number(dim, one)); });
}

Program read_program(Napi::Value value) {
  const Napi::Object fields = object(value, "program");
  Program program{};
  program.slots = read_slots(fields.Get("slots"));
  program.constant_indices = each(fields.Get("constants"), "program.constants", index_number);
  program.cells = read_cell_names(fields);
  program.steps = each(fields.Get("steps"), "program.steps", read_step);
  program.input = index_number(fields.Get("input"), "program.input");
  program.logits = index_number(fields.Get("logits"), "program.logits");
  program.slices = optional_index(fields.Get("slices"), "program.slices").value_or(1);
  program.keys = optional_index(fields.Get("keys"), "program.keys").value_or(0);
  return program;
}

}  // namespace critmap::binding
