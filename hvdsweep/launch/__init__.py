"""Gangs of Horovod ranks: how they are started, watched and ended. Nothing here imports TensorFlow or Horovod.

- `supervisor.Supervisor` trains a planned sweep to its end with one or more gangs.
- `hosts` reads `-H` and host files and shares the slots out; `horovodrun` writes a gang's command line and environment.
- `processes` tells processes apart for good (pid and start time) and leaves none behind.
"""
