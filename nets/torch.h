/// \file
/// What this folder uses of LibTorch: the one header of it that takes seconds, precompiled by CMake. No header that
/// other folders include may include this one, and everything else here includes LibTorch through it, but torchscript/.
#pragma once
#include <torch/autograd.h>
#include <torch/types.h>
