#!/bin/bash
# Trains the shards of a sweep, one per array task. Written by `hvdsweep batch`; `batch resubmit` and requeues read it again.
@{directives}
folder=@{folder}
shards=@{shards}
follow_ups=@{follow_ups}   # of each shard at most: requeues and follow-up jobs together

cd -- "$folder" || exit 1
# An array has a limited number of tasks, so a sweep may be several: $1 is the shard before this array's first, $2 counts follow-up jobs.
number=$((${1:-0} + SLURM_ARRAY_TASK_ID))
shard=$(printf %04d "$number")
job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
exec >>"logs/$shard.log" 2>&1
record() { echo "$(date +%s) $job $*" >>"logs/$shard.jobs"; }
record start "$(hostname -s)" "${SLURM_JOB_CPUS_PER_NODE:-1}" "${SLURM_JOB_NUM_NODES:-1}" "${SLURM_GPUS_ON_NODE:-0}"
@{setup}
@{command} &
launch=$!
trap 'kill -TERM "$launch" 2>/dev/null' TERM INT
wait "$launch"
code=$?
# A signal cuts the waiting short; the answer is that of launch itself.
while kill -0 "$launch" 2>/dev/null; do wait "$launch"; code=$?; done
record end "$code"

# 130: stopped with work left, because time is up or another job needs the nodes. Slurm no longer calls a cancelled job RUNNING.
# Not SLURM_JOB_ID: that of the array's last task is the whole array's.
running() { [ "$(squeue --noheader --jobs="$job" --format=%T)" = RUNNING ]; }
if [ "$code" = 130 ] || [ "$code" = 143 ]; then
    used=$((${2:-0} + ${SLURM_RESTART_COUNT:-0}))
    if running && [ "$used" -lt "$follow_ups" ]; then
        # The requeue itself sends SIGTERM to everything here, scontrol included: nothing else may be submitted.
        trap '' TERM INT
        scontrol requeue "$job" || ! running ||
            record follow "$(sbatch --parsable --array="$SLURM_ARRAY_TASK_ID" job.sh "${1:-0}" "$((used + 1))")"
    fi
fi
exit "$code"
