// Eigenvectors of a real symmetric matrix: Householder's tridiagonal form and the QL algorithm with implicit
// shifts (Bowdler, Martin, Reinsch and Wilkinson, Numerische Mathematik 11, 1968: EISPACK's tred2 and tql2).
#pragma once

#include <cstddef>
#include <vector>

namespace critmap {

// Replaces the size x size matrix by its eigenvectors, one after the other, by falling eigenvalue. Entries
// are finite and their squares neither overflow nor vanish. Throws std::runtime_error if it does not
// converge, which no such matrix is known to do.
void eigenvectors(std::vector<double>& matrix, size_t size);

}  // namespace critmap
