#include <algorithm>
#include <map>
#include <stdexcept>

#include "engine/program.h"

namespace critmap {
namespace {

// Bytes of a buffer, from the key of their map on, and who wrote them last in the program's order.
struct Written {
  size_t end;
  size_t base;
  // Null for what is there before the first step.
  const Step* by;
};
using Pieces = std::map<size_t, Written>;

class Memory {
 public:
  explicit Memory(const Program& program) : program_(program), storages_(program.storage_bytes.size()) {}

  void write(size_t index, const Step* by) {
    const TensorSlot& slot = program_.slots[index];
    const size_t begin = slot.offset, end = slot.offset + slot.bytes;
    Pieces& pieces = storages_[slot.storage];
    split(pieces, begin);
    split(pieces, end);
    pieces.erase(pieces.lower_bound(begin), pieces.lower_bound(end));
    pieces.emplace(begin, Written{end, slot.base, by});
  }

  // `by` is null for the end of the program.
  bool readable(size_t index, const Step* by) const {
    const TensorSlot& slot = program_.slots[index];
    const size_t begin = slot.offset, end = slot.offset + slot.bytes;
    const Pieces& pieces = storages_[slot.storage];
    size_t covered = begin;
    auto piece = pieces.upper_bound(begin);
    if (piece != pieces.begin()) piece--;
    for (; piece != pieces.end() && piece->first < end; piece++) {
      const auto& [from, written] = *piece;
      if (written.end <= begin) continue;
      if (from > covered || written.base != slot.base || !runs_with(written.by, by)) return false;
      covered = written.end;
    }
    return covered >= end;
  }

 private:
  // So that a piece begins at `at`, where one goes beyond it.
  static void split(Pieces& pieces, size_t at) {
    auto piece = pieces.lower_bound(at);
    if (piece == pieces.begin()) return;
    piece--;
    Written& before = piece->second;
    if (before.end <= at) return;
    pieces.emplace(at, Written{before.end, before.base, before.by});
    before.end = at;
  }

  // Trials that run as one batch are written cell by cell and read together, so one cell in common will do.
  static bool runs_with(const Step* writer, const Step* reader) {
    if (!writer || writer->cells.empty()) return true;
    return reader && std::find_first_of(writer->cells.begin(), writer->cells.end(), reader->cells.begin(),
                                        reader->cells.end()) != writer->cells.end();
  }

  const Program& program_;
  std::vector<Pieces> storages_;
};

void require(bool so, const std::string& name, size_t slot) {
  if (so) return;
  throw std::out_of_range(name + " reads slot " + std::to_string(slot) +
                          ", whose content is not there: it was not computed before, or another slot or "
                          "another cell has overwritten it");
}

bool needs_old_values(const Step& step) {
  // Those stored in another order never start from what is in the slot.
  if (step.source || step.blocked) return false;
  return step.rule.kind == ResetKind::noise || step.rule.kind == ResetKind::shuffle ||
         step.rule.kind == ResetKind::interpolate || step.rule.kind == ResetKind::blend;
}

}  // namespace

void check_order(const Program& program) {
  Memory memory(program);
  memory.write(program.input, nullptr);
  bool compared = false;
  for (size_t i = 0; i < program.steps.size(); i++) {
    const Step& step = program.steps[i];
    const std::string name = entry("steps", i);
    switch (step.kind) {
      case StepKind::run:
        for (const size_t slot : step.inputs) require(memory.readable(slot, &step), name, slot);
        for (const size_t slot : step.outputs) memory.write(slot, &step);
        break;
      case StepKind::reset:
        if (needs_old_values(step)) require(memory.readable(step.slot, &step), name, step.slot);
        memory.write(step.slot, &step);
        break;
      case StepKind::compare:
        require(memory.readable(step.slot, &step), name, step.slot);
        require(memory.readable(program.logits, nullptr), name, program.logits);
        compared = true;
        break;
    }
  }
  if (!compared) require(memory.readable(program.logits, nullptr), "program.logits", program.logits);
}

}  // namespace critmap
