"""A code competition of Kaggle: the bundle in a private data set, a notebook that predicts with it, run there before it is submitted.

package    everything that is sent, in one file: what the ledger knows the submission by, and all that --resume needs
notebook   its cells
there      what the notebook takes from the harness: the test's images as the training's were read, the file as [submission] says
push       data set, push, run, output held against the harness's own answers and the time limit; then its version may be submitted
"""
