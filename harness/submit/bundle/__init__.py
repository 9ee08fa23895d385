"""A code submission: a flat zip with a model.py that needs no harness, and a trial of it as the platform would run it.

model.py       class Model: Model().predict(X), X uint8 (n, H, W, C) -> labels int64 (n,)
bundle.json    what model.py goes by: size, combination, the fold files, what it needs
graph.pt2      the network with preprocessing and TTA, exported by torch.export: pixels (n, h, w, C) -> probabilities
fold-K.npz     weights of each fold and seed, float32 or float16, plain arrays
"""
