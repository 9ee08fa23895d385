"""What a network is fed: batches of pixels, of captions, or of stored features.

pixels (batches from device, file or decoder) -> network_inputs (augmented, or in views) -> fit, predict        captions
"""
