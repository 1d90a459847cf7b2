#!/usr/bin/env bash
# Data set, training and comparison, each after the one before has ended well: as three jobs under Slurm, else one after
# the other here. Settings and their defaults are in settings.sh.
#   bash apps/slurm/all.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export KRYLEARN_ROOT=${KRYLEARN_ROOT:-$(cd "$here/../.." && pwd)}
if command -v sbatch >/dev/null; then
  data=$(sbatch --parsable "$here/dataset.sh")
  training=$(sbatch --parsable --dependency="afterok:$data" "$here/train.sh")
  comparison=$(sbatch --parsable --dependency="afterok:$training" "$here/compare.sh")
  echo "jobs: dataset $data, train $training, compare $comparison"
else
  for step in dataset train compare; do bash "$here/$step.sh"; done
fi
