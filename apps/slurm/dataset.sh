#!/usr/bin/env bash
# Makes the data set that train.sh trains on: $OUT/training.h5. A run that was cut off goes on where it stopped.
#   sbatch apps/slurm/dataset.sh      or, without Slurm:  bash apps/slurm/dataset.sh
#SBATCH --job-name=krylearn-dataset
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
. "${KRYLEARN_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}/apps/slurm/settings.sh"
# shellcheck disable=SC2086 # options are several words
launch dataset -problem "$PROBLEMS" -grid "$GRIDS" -count "$DATASET_COUNT" $DATASET_OPTIONS -o "$OUT/training.h5"
