/// \file
/// The tables of a comparison for the terminal.
#pragma once
#include "solvers/compare/summary.h"

namespace krylearn {

/// Results on one workload, ranked ones first; why the others are not ranked.
std::string ResultText(const Summary &summary);
/// Where the time went, by kind of work; empty where no events are known.
std::string BreakdownText(const Summary &summary, const std::vector<EventRow> &events);
/// Iterations, times and speed-up against ranks; empty where there is one rank count only.
std::string ScalingText(const Csv &scaling);

} // namespace krylearn
