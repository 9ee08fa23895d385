"""The steps of a plan: each a function that could be a command of its own, told what it works with by a `Table`."""
