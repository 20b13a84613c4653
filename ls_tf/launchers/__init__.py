"""Where the runs of a sweep are trained: devices, Slurm, a Ray cluster."""
