"""The noise suite: each fold's model predicts its own validation rows under every corruption of `harness.train.corruptions`.

job (one fold) -> suite (noise/fold-K-rows-N.npz) -> report (noise.json, noise.html) -> harness.oof.forecast
"""
