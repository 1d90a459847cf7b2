#!/usr/bin/env bash
# Set-up shared by tests/run.sh and apps/quickstart.sh: installs the Debian packages that are missing, then configures
# and builds into build/. Source it; it defines krylearn_packages and krylearn_build and changes nothing else.
#   bash apps/setup.sh         packages and build, nothing run
#   bash apps/setup.sh --help  this text

KRYLEARN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KRYLEARN_PACKAGES=(g++ cmake ninja-build ccache pkg-config petsc-dev slepc-dev libopenmpi-dev openmpi-bin libhdf5-openmpi-dev
  libgtest-dev libtorch-dev python3 python3-matplotlib python3-h5py
  libpetsc3.18-dev-examples python3-petsc4py-real) # tests of the plug-in in PETSc's tutorials and petsc4py

# Installs what is missing, as root or through sudo; names the packages and fails where neither works.
krylearn_packages() {
  if ! command -v dpkg-query >/dev/null; then
    command -v cmake >/dev/null && pkg-config --exists 'PETSc >= 3.18' 2>/dev/null && return 0
    echo "This is not a Debian system. Please install the equivalents of: ${KRYLEARN_PACKAGES[*]}" >&2
    return 1
  fi
  local missing=() package
  for package in "${KRYLEARN_PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
      as_root=(sudo)
    else
      echo "Missing Debian packages, and neither root nor sudo to install them. Please have someone run:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      return 1
    fi
  fi
  echo "Installing Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "Installing failed (full log: $log). Packages needed: ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}

# Configures the release preset (once) and builds the given targets, or everything.
krylearn_build() {
  (
    cd "$KRYLEARN_ROOT" || exit 1
    if [ ! -f build/build.ninja ]; then
      cmake --preset release || exit 1
    fi
    if [ $# -gt 0 ]; then cmake --build build --target "$@"; else cmake --build build; fi
  )
}

# What mpirun needs on a small machine, as root, in a container; harmless elsewhere. Only defaults: set variables stay.
krylearn_environment() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
  export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"
  export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}" # waiting ranks leave the core to others
  export OMPI_MCA_pml="${OMPI_MCA_pml:-ob1}" # within one machine; looking for others takes a fifth of a second a start
  export HWLOC_HIDE_ERRORS="${HWLOC_HIDE_ERRORS:-2}" # containers without /sys
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
}

# The text at the head of a script, for --help.
krylearn_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  case "${1:-}" in
    -h | --help) krylearn_help "$0" ;;
    "") krylearn_packages && krylearn_build ;;
    *) echo "setup.sh: unknown argument '$1' (see --help)" >&2; exit 2 ;;
  esac
fi
