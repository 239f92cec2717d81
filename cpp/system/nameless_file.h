// A file in memory that has no name: it needs no folder, and nothing of it is left when its last descriptor
// is closed, however the process ends. Only Linux has such.
#pragma once

#include <string>

namespace critmap {

// A descriptor of a new, empty one, which the caller closes; -1 where there are none.
int open_nameless_file();

// A second descriptor of the file of the first, which the caller closes; -1 if the first is not open.
int duplicate_descriptor(int descriptor);
void close_descriptor(int descriptor);

// The name that an open file has for code that takes names, for as long as the descriptor is open.
std::string name_of_descriptor(int descriptor);

}  // namespace critmap
