// Between the halves of the emulated runtime: grid.cpp runs what runtime.cpp has queued.
#pragma once

#include <functional>

// From here on a stream does its work when it is queued, and everyone may touch device memory of the card in
// use: for those who compute with it outside kernels.
void work_at_once();

void run_grid(unsigned blocks, unsigned threads, const std::function<void()>& kernel);
