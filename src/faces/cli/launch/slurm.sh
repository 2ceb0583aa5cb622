#!/bin/bash
# A Slurm array: one task for each of {{SHARDS}} shards. Printed by `amend launch slurm`: read it, change it, then
#     sbatch FILE                      starts all shards
#     sbatch --array=3,7 FILE          starts shards 3 and 7 again; what they answered before is not asked again
#     {{MERGE}}
#
# Exit codes of a task: 0 done; 1 done, but some rows failed; 130 stopped in time, start it again; 4 journal or disk.
#SBATCH --job-name={{NAME}}
#SBATCH --array=0-{{LAST}}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=24:00:00
# A task whose node is lost is put back into the queue, and writes on in the same log.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={{NAME}}-%A_%a.log
# A minute before the time is up: amend finishes the calls in flight and stops.
#SBATCH --signal=B:TERM@60
{{KEYS}}
set -euo pipefail
: "${SLURM_ARRAY_TASK_ID:?this is a task of an array: start it with sbatch}"
{{OUT}}
# `exec`, so that signals arrive. `--wait`: a task that was put back waits for what is left of itself.
exec amend run {{RECIPE}} \
    --shard "$SLURM_ARRAY_TASK_ID/{{SHARDS}}" \
    --out "$OUT" {{MIRROR}}--grace 25s --wait
