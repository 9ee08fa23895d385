"""What each metric is, in a sentence: for the reference page. Formulas are scikit-learn's where it has the metric."""

from __future__ import annotations

MEANINGS: dict[tuple[str, str], str] = {
    # One of several classes.
    ("classes", "accuracy"): "Share of rows whose class is right.",
    ("classes", "error"): "1 - accuracy.",
    ("classes", "balanced_accuracy"): "Mean over the classes of their recall.",
    ("classes", "precision"): "Mean over the classes of the share of rows called so that are so.",
    ("classes", "recall"): "Mean over the classes of the share of their rows that are found.",
    ("classes", "macro_f1"): "Mean over the classes of their F1, the harmonic mean of precision and recall.",
    ("classes", "micro_f1"): "F1 of all decisions together; with one class a row it equals accuracy.",
    ("classes", "weighted_f1"): "Mean of the classes' F1, weighted by their rows.",
    ("classes", "f1"): "Harmonic mean of precision and recall; average says of which classes.",
    ("classes", "fbeta"): "As F1, with recall beta times as important as precision.",
    ("classes", "sensitivity"): "Recall of the second class.",
    ("classes", "specificity"): "Recall of the first class.",
    ("classes", "mcc"): "Matthews correlation coefficient of labels and predicted classes.",
    ("classes", "kappa"): "Cohen's kappa: agreement beyond chance; weights is none, linear or quadratic.",
    ("classes", "linear_kappa"): "Cohen's kappa in which a miss costs its distance in grades.",
    ("classes", "quadratic_kappa"): "Cohen's kappa in which a miss costs the square of its distance in grades.",
    (
        "classes",
        "cost",
    ): "Mean price of an answer; matrix has a row for each true class, a column for each predicted one.",
    ("classes", "log_loss"): "Mean of -log of the true class's probability, clipped at eps; weights counts classes.",
    (
        "classes",
        "brier",
    ): "Squared error of the probabilities: of two classes of the second's, of more the sum over the classes.",
    (
        "classes",
        "roc_auc",
    ): "Probability that a row of a class ranks above one that is not; of several classes the mean.",
    ("classes", "average_precision"): "Area under the precision-recall curve, as a sum over the ranks.",
    ("classes", "partial_auc"): "Area under the ROC curve above a sensitivity of min_tpr; at most 1 - min_tpr.",
    ("classes", "probabilistic_f"): "F-beta in which a prediction counts by its probability.",
    ("classes", "map_at_k"): "Mean over the rows of 1 / rank of the true class among the k likeliest, else 0.",
    ("classes", "top_k_accuracy"): "Share of rows whose class is among the k likeliest.",
    ("classes", "gap"): "Global average precision: rows ranked by confidence, precision at each right one (landmarks).",
    # Any of several labels.
    ("labels", "accuracy"): "Share of rows whose labels are all right.",
    ("labels", "hamming_loss"): "Share of wrong labels, over all rows and labels.",
    ("labels", "jaccard"): "Labels both given and true, as a share of those given or true.",
    (
        "labels",
        "fbeta",
    ): "F-beta; average: of each row (samples), each label (macro, weighted) or all together (micro).",
    ("labels", "f1"): "As fbeta with beta = 1.",
    ("labels", "micro_f1"): "F1 of all decisions together.",
    ("labels", "macro_f1"): "Mean over the labels of their F1.",
    ("labels", "samples_f1"): "Mean over the rows of their F1.",
    ("labels", "weighted_f1"): "Mean of the labels' F1, weighted by how often they are true.",
    ("labels", "roc_auc"): "Area under the ROC curve of each label; their mean (macro).",
    ("labels", "average_precision"): "Average precision of each label; their mean (macro).",
    ("labels", "map_at_k"): "Mean average precision of the k likeliest labels of a row.",
    ("labels", "log_loss"): "Log loss of each label, mean over the labels; weights counts labels.",
    ("labels", "brier"): "Mean squared distance of the probabilities from 0 and 1.",
    # Numbers.
    ("numbers", "rmse"): "Root of the mean squared error over all rows and columns.",
    ("numbers", "mcrmse"): "Mean over the columns of their RMSE.",
    ("numbers", "rmsle"): "RMSE of log(1 + number).",
    ("numbers", "mae"): "Mean absolute error.",
    ("numbers", "r2"): "Share of the variance that is explained; below 0 where the mean would be nearer.",
    ("numbers", "pearson"): "Pearson's correlation of numbers and predictions.",
}
"""By (kind of targets, name), as `registry.metric_names` has them."""
