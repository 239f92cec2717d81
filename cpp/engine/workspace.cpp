// What all workspaces share: which storage a slot lies in.
#include "engine/workspace.h"

namespace critmap {

void Workspace::prepare(const Program& program) {
  storages_.clear();
  program_ = nullptr;
  release();
  storages_ = take(program);
  program_ = &program;
}

std::byte* Workspace::address(size_t slot) const {
  const TensorSlot& found = program_->slots[slot];
  return storages_[found.storage] + found.offset;
}

}  // namespace critmap
