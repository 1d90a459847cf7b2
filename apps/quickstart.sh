#!/usr/bin/env bash
# From a bare Debian machine to two computed flows: installs missing packages, builds in Release, and runs on 2 ranks
#   1. 2D flow past a cylinder (the vortex street of the Schäfer–Turek benchmark 2D-2, on a coarse grid),
#   2. a small 3D smoke plume that rises past a sphere.
# Leaves HDF5 + XDMF for ParaView, histories as CSV, and a picture of each; prints where they are and the main figures.
#   bash apps/quickstart.sh [FOLDER]     results in FOLDER (default out/quickstart); about 10 minutes at most on 2 cores
#   bash apps/quickstart.sh --help       this text
# Running it again rebuilds nothing that is up to date and overwrites the results in FOLDER.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
case "${1:-}" in
  -h | --help) krylearn_help "${BASH_SOURCE[0]}"; exit 0 ;;
  -*) echo "quickstart.sh: unknown argument '$1' (see --help)" >&2; exit 2 ;;
esac

started=$(date +%s)
out=${1:-$KRYLEARN_ROOT/out/quickstart}
mkdir -p "$out"
out=$(cd "$out" && pwd)
krylearn_packages
krylearn_build fluid
krylearn_environment
python=/usr/bin/python3
[ -x $python ] || python=python3
cd "$KRYLEARN_ROOT"

# run NAME: the case file data/cases/NAME.petscrc into $out/NAME, its output kept in run.log too.
run() {
  local name=$1 from
  from=$(date +%s)
  printf '\n== %s: mpirun -n 2 build/apps/fluid -options_file data/cases/%s.petscrc -output %s\n' "$name" "$name" "$out/$name"
  mkdir -p "$out/$name"
  mpirun -n 2 build/apps/fluid -options_file "data/cases/$name.petscrc" -output "$out/$name" | tee "$out/$name/run.log"
  "$python" apps/plot.py "$out/$name" -o "$out/$name.png" || echo "no picture of $name"
  seconds="$seconds$name $(($(date +%s) - from)) s; "
}
seconds=
run quickstart_cylinder
run quickstart_smoke

printf '\nDone in %s s (%s).\n' "$(($(date +%s) - started))" "${seconds%; }"
for name in quickstart_cylinder quickstart_smoke; do
  printf '\n%s\n' "$name"
  printf '  %-20s %s\n' picture "$(ls "$out/$name.png" 2>/dev/null || echo 'none (matplotlib or h5py is missing)')"
  printf '  %-20s %s\n' ParaView "$(ls "$out/$name"/*.xdmf)" history "$out/$name/history.csv"
  # What the run reported at its end, one `name: value` a line.
  awk '/^[A-Za-z_]+: / && !/^case: / { n = index($0, ": "); printf "  %-20s %s\n", substr($0, 1, n - 1), substr($0, n + 2) }' \
    "$out/$name/run.log"
done
printf '\nNext: build/apps/fluid lists the cases; README.md shows more runs, data/cases/ holds complete option files.\n'
