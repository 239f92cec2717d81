// Between the two halves of the emulated runtime: grid.cpp runs what runtime.cpp has queued.
#pragma once

#include <functional>

void run_grid(unsigned blocks, unsigned threads, const std::function<void()>& kernel);
