"""Where things lie: the project that is played, and the harness's own files.

home.py          the folder that holds competitions/, oof/, submissions/ and data/
competitions.py  a competition by its path or slug
templates.py     the competition folders that come with the harness, in a checkout and in a wheel
wheel.py         the harness that runs, packed as a wheel
"""
