"""Making up for unequal classes: by weights in the loss, by how often rows are drawn, by a prior added to the logits.

counts.py    rows of each class among those that are trained on
weights.py   train.class_weights
draws.py     train.sampling: the rows of an epoch
prior.py     train.sampling and train.logit_adjustment: which shares of the classes a network learns, and the way back to the data's
"""
