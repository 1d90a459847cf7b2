/// \file
/// Checks for PETSc code in GoogleTest under MPI. Tests run on all ranks of PETSC_COMM_WORLD, in the same order; a
/// failure on any rank fails the test everywhere and is printed with its rank.
#pragma once
#include <gtest/gtest.h>
#include <petscsys.h>
#include <string>

namespace krylearn_test {
/// Message of the last PETSc error raised on this rank, which is then forgotten.
std::string TakePetscError();
/// Ranks in PETSC_COMM_WORLD, and this one's number.
int Ranks();
int Rank();

testing::AssertionResult Succeeds(const char *text, PetscErrorCode code);
testing::AssertionResult Refuses(const char *call, const char *, PetscErrorCode code, const std::string &message);
} // namespace krylearn_test

/// The call returns 0; otherwise PETSc's message is printed.
#define EXPECT_PETSC_OK(call) EXPECT_PRED_FORMAT1(krylearn_test::Succeeds, call)
#define ASSERT_PETSC_OK(call) ASSERT_PRED_FORMAT1(krylearn_test::Succeeds, call)
/// The call fails and its message contains `message`.
#define EXPECT_REFUSED(call, message) EXPECT_PRED_FORMAT2(krylearn_test::Refuses, call, message)
