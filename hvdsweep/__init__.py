"""hvdsweep: how far does data parallelism pay for your workload?"""
