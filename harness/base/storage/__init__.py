"""Files that last: written whole or not at all, sealed by checksums, read as what may be damaged.

    atomic_files -> manifest (SHA-256 beside the files)        npy (memory maps)        damage (what damaged files raise)

May use `harness.base` only.
"""
