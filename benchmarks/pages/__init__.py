"""How fast pages open that hold much: 42,000 rows, 50 runs."""
