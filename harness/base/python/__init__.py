"""What those need who import the harness, in a script or a notebook, rather than call its commands."""
