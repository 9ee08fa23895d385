"""The copy of a network that predicts: the same outputs in less time, tried against the network before it counts.

    network -> fold (batch norm into weights) -> fuse (activations into layers) -> pool (fewer passes) -> copy        graph

May use torch only; nothing here trains.
"""
