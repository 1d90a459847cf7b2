# shellcheck shell=bash
# What dataset.sh, train.sh and compare.sh share; sourced, not run. Every value can be set from outside:
#   TRAIN_STEPS=3000 sbatch apps/slurm/train.sh       TRAIN_STEPS=3000 bash apps/slurm/train.sh
set -euo pipefail
# Slurm runs a copy of the script from a folder of its own, so the place of the project comes from where sbatch was.
KRYLEARN_ROOT=${KRYLEARN_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}
if [ ! -f "$KRYLEARN_ROOT/apps/setup.sh" ]; then
  echo "${0##*/}: no project in $KRYLEARN_ROOT; start this from its root, or set KRYLEARN_ROOT" >&2
  exit 2
fi
. "$KRYLEARN_ROOT/apps/setup.sh"
krylearn_environment
: "${KRYLEARN_APPS:=$KRYLEARN_ROOT/build/apps}" # built beforehand: bash apps/setup.sh
: "${OUT:=$KRYLEARN_ROOT/out/slurm}"
: "${RANKS:=${SLURM_NTASKS:-2}}"

: "${PROBLEMS:=obstacles}"
: "${GRIDS:=64,64:128,128}"
: "${DATASET_COUNT:=32}"
: "${DATASET_OPTIONS:=}"
: "${TRAIN_ARCH:=vcycle}"
: "${TRAIN_STEPS:=1500}"
: "${TRAIN_OPTIONS:=}"
: "${COMPARE_GRIDS:=64,64:128,128:256,256}"
: "${COMPARE_SEEDS:=1,2,3,4,5,6,7,8}"
: "${COMPARE_OPTIONS:=}"
mkdir -p "$OUT"

# launch PROGRAM OPTIONS: on the ranks of the job under Slurm, else with mpirun.
launch() {
  local program=$KRYLEARN_APPS/$1
  shift
  if [ -n "${SLURM_JOB_ID:-}" ]; then srun --ntasks="$RANKS" "$program" "$@"; else mpirun -n "$RANKS" "$program" "$@"; fi
}
