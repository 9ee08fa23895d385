"""From a trained network to probabilities: views of each image, scored and combined (test-time augmentation).

views (named views) -> predict (batches, copy of the network) -> tta (one distribution out of those of its views)
"""
