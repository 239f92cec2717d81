// What failures on cards mean: some last as long as the process, some say that memory does not suffice.
#pragma once

#include <exception>
#include <string>

namespace critmap::cuda {

// Why this process can compute nothing on a card any more, which engines and cards without one share; empty
// while it can. From any thread, as all of these.
std::string lost_reason(int card);

// Takes note where the failure, of CUDA or as ONNX Runtime tells of it, is one that lasts; true if it is.
bool note_failure(int card, const std::exception& error);
// The same of one of others (cuDNN, cuBLAS) that give reasons of their own where CUDA has failed with
// `found`.
void note_failure(int card, const std::exception& error, const std::exception& found);

// Whether it says that the card's memory does not suffice.
bool is_of_memory(const std::exception& error);

}  // namespace critmap::cuda
