"""python -m benchmarks.fuzz: damaged and hostile files for every reader of files that came from elsewhere or were stored.

The law: a reader succeeds, or raises `UserError` with a message that names the file. A finding is anything else: another
exception, more than 10 s, more than 1 GiB of memory, a file written outside the scratch folder, a process started.

Each input is made from the seed and its number alone. Readers run in forked processes that may die; a parent watches them.
Needs Linux (fork, /proc, limits of a process).
"""
