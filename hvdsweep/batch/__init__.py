"""One sweep shared among the jobs of a cluster: a folder of shards, their exchange of results, and their merge."""
