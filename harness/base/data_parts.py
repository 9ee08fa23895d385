"""What `python -m harness.data` is called with beside a competition: each part a module of its own, a later stage's among them."""

DATA_PARTS = {
    "init": "harness.data.guess.init",
    "preview": "harness.train.__main__",
    "cache": "harness.data.cached",
    "keys": "harness.data.keys",
}
"""By the first word; a module that ends in __main__ takes that word too."""
