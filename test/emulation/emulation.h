// Between the halves of the emulated runtime: grid.cpp runs what runtime.cpp has queued.
#pragma once

#include <functional>

#include "cuda_runtime.h"

// Does it in the stream's order, at once: for those who compute with a card's memory outside kernels. What
// `work` throws comes out of it. The card's status, without doing it where that is not success.
cudaError_t run_on(cudaStream_t stream, const std::function<void()>& work);

// Ends the process with a sentence.
[[noreturn]] void misuse(const char* what);

void run_grid(unsigned blocks, unsigned threads, const std::function<void()>& kernel);
