"""Gangs of Horovod ranks: how they are started, watched and ended. Imports neither TensorFlow nor Horovod.

- `supervisor.Supervisor` trains a planned sweep to its end with one or more gangs.
- `hosts` reads `-H` and host files and allots the slots; `horovodrun` builds a gang's command line and environment.
- `processes` finds the processes of gangs (by pid and start time) and leaves none behind.
"""
