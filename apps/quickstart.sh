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

# Last value of a column of a history, by its name in the header row.
last() { awk -F, -v name="$2" '/^#/ { next } !n { for (i = 1; i <= NF; i++) { gsub(/ /, "", $i); if ($i == name) n = i }; if (!n) exit; next }
  { value = $n } END { print n ? value : "-" }' "$1/history.csv" 2>/dev/null || echo -; }

printf '\nDone in %s s (%s%s\n' "$(($(date +%s) - started))" "${seconds%; }" ")."
for name in quickstart_cylinder quickstart_smoke; do
  printf '\n%s\n' "$name"
  printf '  %-12s %s\n' picture "$([ -f "$out/$name.png" ] && echo "$out/$name.png" || echo 'none (matplotlib or h5py is missing)')"
  printf '  %-12s %s\n' ParaView "$(ls "$out/$name"/*.xdmf 2>/dev/null || echo none)"
  printf '  %-12s %s\n' history "$out/$name/history.csv"
  printf '  %-12s t = %s after %s steps\n' reached "$(last "$out/$name" time)" "$(last "$out/$name" step)"
done
printf '\nNext: build/apps/fluid -help lists the cases and options; data/cases/ holds complete option files.\n'
