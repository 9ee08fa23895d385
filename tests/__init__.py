"""The tests; they mirror the package."""

import os

# Two processes run tests side by side on two cores: threads of their libraries would only wait for each other. Set before these load.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("HARNESS_CORES", "1")  # and so do commands that they call
