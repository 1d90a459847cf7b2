#include "solvers/pc/neural/suitable.h"
#include "solvers/ksp/dcdm.h"
#include <algorithm>
#include <cstring>
#include <iterator>

namespace krylearn {
namespace {

const char *const kSymmetric[] = {KSPCG,      KSPGROPPCG,  KSPPIPECG, KSPPIPECGRR, KSPPIPECG2,
                                  KSPPIPELCG, KSPPIPEPRCG, KSPCR,     KSPPIPECR,   KSPMINRES,
                                  KSPSYMMLQ,  KSPNASH,     KSPSTCG,   KSPGLTR,     KSPQCG};
const char *const kLinear[] = {KSPGMRES, KSPLGMRES,    KSPPGMRES,   KSPDGMRES, KSPBCGS,  KSPIBCGS,
                               KSPBCGSL, KSPCGS,       KSPPIPEBCGS, KSPTFQMR,  KSPTCQMR, KSPQMRCGS,
                               KSPBICG,  KSPCHEBYSHEV, KSPLSQR,     KSPCGNE,   KSPCGLS};

const char *const kTrueResidual[] = {KSPCG,         KSPFCG,       KSPFGMRES,   KSPGCR,  KSPPIPEFCG,
                                     KSPRICHARDSON, KSPCHEBYSHEV, KSPPREONLY, KSPNONE, KSPDCDM};

template <class List> bool Holds(const List &list, const char *name) {
  return std::any_of(std::begin(list), std::end(list), [&](const char *one) { return !std::strcmp(one, name); });
}

} // namespace

Assumes AssumptionOf(KSPType type) {
  if (!type) return Assumes::kNothing;
  if (Holds(kSymmetric, type)) return Assumes::kLinearAndSymmetric;
  return Holds(kLinear, type) ? Assumes::kLinear : Assumes::kNothing;
}

bool BearsSinglePrecision(KSPType type) { return !type || Holds(kTrueResidual, type); }

const char *WhyNotSuitable(KSPType type, bool linear, bool symmetric) {
  const Assumes assumes = AssumptionOf(type);
  if (assumes != Assumes::kNothing && !linear) return "not linear";
  if (assumes == Assumes::kLinearAndSymmetric && !symmetric) return "not symmetric";
  return nullptr;
}

} // namespace krylearn
