"""One model on given rows: augmentation, optimisation, precision, prediction. Knows no folds."""
