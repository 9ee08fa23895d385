"""A code submission: a flat zip with a model.py that needs no harness, and a trial of it as the platform would run it.

model.py       class Model: Model().predict(X), X uint8 (n, H, W, C) -> what [submission] asks for (`answers`)
bundle.json    what model.py goes by: size, combination, the task's decision, the fold files, what it needs
and, by backend, for each fold and seed K, weights float32 or float16:
torch          graph.pt2, the network with preprocessing and TTA by torch.export; fold-K.npz, plain arrays
timm           fold-K.npz; the network is built by timm, the views are in model.py
onnx           fold-K.onnx, network, preprocessing, TTA and weights in one graph
"""
