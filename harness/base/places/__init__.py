"""Where things lie: the harness's own files, in a checkout and installed from a wheel.

templates.py  the competition folders that come with the harness
wheel.py      the harness that runs, packed as a wheel
"""
