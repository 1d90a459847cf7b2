#!/usr/bin/env bash
# Runs every test: installs missing Debian packages, configures and builds in Release, then ctest.
#   bash tests/run.sh                  all tests (about 15 minutes at most on 2 cores)
#   bash tests/run.sh -R meshes        only tests whose name matches; arguments go to ctest
#   bash tests/run.sh --help           this text
# The build stays in build/, so running again is quick. Exit status: that of ctest, or of the first step that failed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh"
case "${1:-}" in -h | --help) krylearn_help "${BASH_SOURCE[0]}"; exit 0 ;; esac

krylearn_packages
krylearn_build
krylearn_environment
cd "$KRYLEARN_ROOT"
# nproc would take OMP_NUM_THREADS for the number of cores.
exec ctest --test-dir build --output-on-failure --no-tests=error -j "$((2 * $(env -u OMP_NUM_THREADS nproc)))" "$@"
