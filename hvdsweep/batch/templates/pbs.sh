#!/bin/bash
# Trains the shards of a sweep, one per array task. Adapt what your site wants, then: qsub job.sh. Not tried on a real PBS.
@{directives}
folder=@{folder}
shards=@{shards}

cd -- "$folder" || exit 1
# Of one shard alone PBS makes no array.
number=${PBS_ARRAY_INDEX:-1}
shard=$(printf %04d "$number")
exec >>"logs/$shard.log" 2>&1
# launch stops cleanly before this moment, and continues when the same index is submitted again.
export HVDSWEEP_JOB_END=$(($(date +%s) + @{seconds}))
@{setup}
exec @{command}
