"""Units of work of a cross-validation, and what runs them: in this process, in workers, or on a cluster.

    features_job (once) -> fold_job (per fold, fed by fold_data) -> run folder        executor (workers)

A job is picklable and idempotent; `harness.distributed` runs the same ones on Ray.
"""
