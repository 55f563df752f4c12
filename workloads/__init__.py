"""What hvdsweep can train: data sets, models, tasks and presets.

`workloads.catalogue` lists them all by name and size without TensorFlow; `workloads.datasets.load_dataset`
and `workloads.models.build_model` make them.
"""
