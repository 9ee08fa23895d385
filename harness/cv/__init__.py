"""The k-fold pipeline: folds, fold jobs, executor, the run that comes of them."""
