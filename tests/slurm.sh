#!/usr/bin/env bash
# Runs the scripts of apps/slurm/ with small sizes: all three steps without Slurm, then a training under commands that
# stand in for Slurm's, which is told that its time is nearly over, requeued, and goes on.
#   tests/slurm.sh APPS FOLDER     APPS holds the programs
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export KRYLEARN_ROOT=$root KRYLEARN_APPS=$1 OUT=$2/out RANKS=2
export PROBLEMS=obstacles GRIDS=16,16 DATASET_COUNT=4 COMPARE_GRIDS=16,16 COMPARE_SEEDS=1
export TRAIN_STEPS=30 TRAIN_OPTIONS='-pool_geometries 4 -pool_solves 4 -validate_every 10 -validation_geometries 1'
fail() { echo "FAILED: $*"; exit 1; }
# start LOG TEXT: a training in the background, job $job, that has said TEXT, or two minutes are over
start() {
  bash "$root/apps/slurm/train.sh" >"$1" 2>&1 &
  job=$!
  for ((i = 0; i < 600; ++i)); do
    if grep -q "$2" "$1"; then break; fi
    sleep 0.2
  done
}
rm -rf "$2"
mkdir -p "$2/bin"
for script in "$root"/apps/slurm/*.sh; do bash -n "$script"; done

unset SLURM_JOB_ID SLURM_SUBMIT_DIR SLURM_NTASKS
mkdir -p "$2/empty" # no sbatch of this machine
PATH=$2/empty:$(tr : '\n' <<<"$PATH" | while read -r d; do [ -x "$d/sbatch" ] || echo "$d"; done | paste -sd:)
bash "$root/apps/slurm/all.sh"
for file in training.h5 model.pt training.csv report/summary.csv; do [ -s "$OUT/$file" ] || fail "no $file"; done
[ ! -e "$OUT/checkpoint" ] || fail "the checkpoint of a finished training is left"

# Stand-ins. srun keeps the number of the mpirun that it becomes, for scancel; scontrol says what it was asked.
cat >"$2/bin/srun" <<EOF
#!/usr/bin/env bash
echo \$\$ >"$2/step"
shift
exec mpirun -n $RANKS "\$@"
EOF
cat >"$2/bin/scancel" <<EOF
#!/usr/bin/env bash
[ "\$*" = "--signal=USR1 7" ] && kill -USR1 "\$(cat "$2/step")"
EOF
cat >"$2/bin/scontrol" <<EOF
#!/usr/bin/env bash
echo "\$*" >"$2/asked"
kill "\$(cat "$2/step")"; kill -KILL "\$PPID" # as Slurm ends a job that it requeues
EOF
chmod +x "$2"/bin/*
export PATH=$2/bin:$PATH SLURM_JOB_ID=7 TRAIN_STEPS=100000
rm "$OUT/model.pt"
start "$2/first.log" 'step 10,' # validated once, so it is training
kill -USR1 $job
wait $job || true
cat "$2/first.log"
[ "$(cat "$2/asked")" = "requeue 7" ] || fail "the job was not requeued"
[ -s "$OUT/checkpoint" ] || fail "no checkpoint"
[ ! -e "$OUT/model.pt" ] || fail "the training was meant to be cut off"
start "$2/second.log" 'going on from step'
cat "$2/second.log"
kill "$(cat "$2/step")"
wait $job && fail "a training that was killed is called a success"
grep -q 'going on from step' "$2/second.log" || fail "the second job started anew"

# Without Slurm: a second training is refused, and the first ends with its script.
unset SLURM_JOB_ID
start "$2/third.log" 'going on from step'
grep -q 'going on from step' "$2/third.log" || fail "the third job started anew"
TRAIN_PATIENCE=0 bash "$root/apps/slurm/train.sh" >"$2/fourth.log" 2>&1 && fail "two trainings on the same files"
grep -q 'is under way' "$2/fourth.log" || fail "the second training was not refused for the first"
kill "$job"
wait $job && fail "a training that was ended is called a success"
if pgrep -f -- "-o $OUT/model.pt" >/dev/null; then fail "the training outlives its script"; fi
