#!/usr/bin/env bash
# Compares the model that train.sh made with classical solvers, on geometries it has not seen: $OUT/report.
#   sbatch apps/slurm/compare.sh      or, without Slurm:  bash apps/slurm/compare.sh
#SBATCH --job-name=krylearn-compare
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
. "${KRYLEARN_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}/apps/slurm/settings.sh"
# shellcheck disable=SC2086
launch compare -problem "$PROBLEMS" -grid "$COMPARE_GRIDS" -seeds "$COMPARE_SEEDS" -rtol 1e-6 -solves 1 \
  -config "$TRAIN_ARCH: -ksp_type dcdm -pc_type neural -pc_neural_model $OUT/model.pt" -config 'nmg: -pc_type nmg' \
  -config 'icc: -pc_type bjacobi -sub_pc_type icc' $COMPARE_OPTIONS -report "$OUT/report"
