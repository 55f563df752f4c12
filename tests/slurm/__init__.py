"""hvdsweep on a real Slurm."""
