"""The space that rows are clustered in: scaler, principal components, two sources side by side; fitted on some rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition.cluster_spec import ClusterSpec


@dataclass(frozen=True)
class Space:
    """Maps features (m, F) to points (m, D), all as they were on the rows that it was fitted on.

    Attributes
    ----------
    steps : scaler and components, in order
    unit : whether a point is brought to length 1
    weight : what a point is multiplied by in the end
    """

    steps: tuple[Any, ...]
    unit: bool
    weight: float = 1.0

    @classmethod
    def fit(cls, features: np.ndarray, spec: ClusterSpec, seed: int, joined: bool, weight: float = 1.0) -> Space:
        """Fit on these rows, float (m, F).

        joined : the points are one of two parts

        Raises
        ------
        UserError
            If there are fewer rows or features than components are asked for.
        """
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        steps, x = [], features.astype(np.float64)
        if spec.scale:
            steps.append(StandardScaler().fit(x))
            x = steps[-1].transform(x)
        if spec.pca is not None:
            if isinstance(spec.pca, int) and spec.pca > min(x.shape):
                raise UserError(
                    f"clusters.pca = {spec.pca}: {x.shape[0]} rows of {x.shape[1]} features have {min(x.shape)} components at "
                    "most"
                )
            steps.append(PCA(spec.pca, random_state=seed, svd_solver="full").fit(x))
        return cls(tuple(steps), spec.unit or joined, weight)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Points float64 (m, D)."""
        x = features.astype(np.float64)
        for step in self.steps:
            x = step.transform(x)
        if self.unit:
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        return x * self.weight
