"""One sweep shared among the jobs of a cluster: a folder of shards, its parts, their exchange, and their merge."""
