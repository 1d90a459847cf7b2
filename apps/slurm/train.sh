#!/usr/bin/env bash
# Trains a network on $OUT/training.h5: $OUT/model.pt, with a log in $OUT/training.csv. Two minutes before its time is
# over Slurm sends SIGUSR1; train then writes a checkpoint at its next step, and the job is put into the queue again. It
# goes on from the checkpoint whenever there is one, so a run that was killed can simply be started again.
#   sbatch apps/slurm/train.sh        or, without Slurm:  bash apps/slurm/train.sh
#SBATCH --job-name=krylearn-train
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
. "${KRYLEARN_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}/apps/slurm/settings.sh"
checkpoint=$OUT/checkpoint

# A checkpoint is renamed into place once it is whole, so another file under its name tells that it has been written.
checkpoint_written() { [ "$(stat -c %Y.%i "$checkpoint" 2>/dev/null)" != "$1" ]; }
signalled=
on_signal() {
  signalled=yes
  local before seconds
  before=$(stat -c %Y.%i "$checkpoint" 2>/dev/null || true)
  if [ -n "${SLURM_JOB_ID:-}" ]; then
    scancel --signal=USR1 "$SLURM_JOB_ID" # reaches the steps of the job, not this script
  else
    pkill -USR1 -P "$training" || true # mpirun, which passes it on
  fi
  for ((seconds = 0; seconds < 100; ++seconds)); do
    if checkpoint_written "$before"; then break; fi
    if ! kill -0 "$training" 2>/dev/null; then return; fi # it has just ended by itself
    sleep 1
  done
  if [ -n "${SLURM_JOB_ID:-}" ]; then
    echo "time is nearly over: to be continued from $checkpoint"
    scontrol requeue "$SLURM_JOB_ID" # which ends this job
    sleep 60
  fi
}
trap on_signal USR1
# Whoever ends this script means the training, which runs on its own otherwise.
on_end() {
  trap - TERM INT
  if [ -n "${training:-}" ]; then
    pkill -TERM -P "$training" || true # mpirun, or srun
    wait "$training" 2>/dev/null || true
  fi
  exit "${1:-143}"
}
trap on_end TERM
trap 'on_end 130' INT
# Two trainings on the same files would spoil both; what this starts keeps the lock, too, should it outlive the script.
exec 9>"$OUT/training.lock"
held=0
if command -v flock >/dev/null; then flock -E 75 -w "${TRAIN_PATIENCE:-20}" 9 || held=$?; fi # one that ends gets a while
if [ "$held" -eq 75 ]; then
  echo "${0##*/}: a training in $OUT is under way" >&2
  exit 1
fi # other failures: a file system without locks
resume=
if [ -f "$checkpoint" ]; then resume=-resume; fi

# In the background, because bash runs a trap only while it waits; a signal ends the waiting, so once more.
# shellcheck disable=SC2086
launch train -arch "$TRAIN_ARCH" -data "$OUT/training.h5" -steps "$TRAIN_STEPS" -checkpoint "$checkpoint" $resume \
  -log "$OUT/training.csv" $TRAIN_OPTIONS -o "$OUT/model.pt" &
training=$!
while true; do
  signalled=
  status=0
  wait "$training" || status=$?
  if [ -z "$signalled" ]; then break; fi
done
if [ "$status" -ne 0 ]; then exit "$status"; fi
rm -f "$checkpoint" "$checkpoint.part" # the next training starts from the beginning
"$KRYLEARN_APPS/train" -info "$OUT/model.pt"
