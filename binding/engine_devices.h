// What an engine computes on, as the options of engine.open say it.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "engine/workspace.h"

namespace critmap::binding {

// The cards of `options`, opened, with their provider's options; the processor if it names none. Throws
// TypeError or RangeError that names the entry, cuda::Error or ort::Error that names the card.
std::vector<std::shared_ptr<Device>> open_devices(const ort::Library& library, const Napi::Object& options);

}  // namespace critmap::binding
