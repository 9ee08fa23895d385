"""python -m benchmarks.kernels: what --on kaggle and --code make of every fault at every step, and of a SIGKILL at each.

The real commands, the real kaggle client, a server on loopback that really runs what is pushed (once; then sessions are as they were
recorded). A fault is ordered for one step of the first command; then the same command (of --code: --resume) is given again until it ends.
What is counted for each case:

    double     a second session of the job, or a second submission, without need
    lost       the job never ended, or its run is not in place
    leaked     a credential or a signed address in what was said
    traceback  a command ended in one
    again      commands beyond the first that it took, the most of a step: no failure

`--only tasks` submits a run of every task by --code: the notebook is really run, and its file held against the harness's own.
"""
