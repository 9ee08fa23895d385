"""Jobs on a Ray cluster: the same jobs as in worker processes, their files read from a shared path or brought to each node."""
