#!/bin/bash
# Trains the shards of a sweep, one per array task. Adapt what your site wants, then: bsub < job.sh. Not tried on a real LSF.
@{directives}
folder=@{folder}
shards=@{shards}

cd -- "$folder" || exit 1
number=$LSB_JOBINDEX
shard=$(printf %04d "$number")
exec >>"logs/$shard.log" 2>&1
# launch stops cleanly before this moment, and continues when the same index is submitted again.
export HVDSWEEP_JOB_END=$(($(date +%s) + @{seconds}))
@{setup}
exec @{command}
