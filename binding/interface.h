// The number of the surface that JavaScript sees. An addon whose number is not the one in
// src/native/interface.ts was built from other sources and is not used; `node scripts/native-interface.mjs
// --raise` raises both.
#pragma once

#include <cstdint>

namespace critmap::binding {

inline constexpr uint32_t interface_number = 4;

}  // namespace critmap::binding
