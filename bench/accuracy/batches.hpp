// bench/accuracy/batches.hpp - errors of all pairs of a batch against the pair in double,
// and what their re-evaluation costs: tables of a page.
#pragma once

#include <ostream>
#include <vector>

#include "data_sets.hpp"

namespace accuracy {

void write_batches(std::ostream& page, const std::vector<DataSet>& sets);
/// Median times, on a quiet machine.
void write_costs(std::ostream& page, const std::vector<DataSet>& sets);

}  // namespace accuracy
