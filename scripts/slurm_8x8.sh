#!/usr/bin/env bash
#SBATCH --job-name=ls_tf
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
# One run on 64 GPUs, a process for each. Two minutes before the job's end its
# processes are told to stop; they save, and the job goes into the queue again.
# Not run on a cluster.
#
#   RUNS=/shared/runs sbatch scripts/slurm_8x8.sh --experiment=NAME [FLAG...]
set -u
: "${RUNS:?wanted a folder that all hosts see}"
source .venv/bin/activate
srun python run_experiment.py --flagfile=flags/machine/slurm_8x8.flags \
    --runs_dir="$RUNS" "$@"
code=$?
if [ "$code" -eq 3 ] || [ "$code" -eq 6 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
