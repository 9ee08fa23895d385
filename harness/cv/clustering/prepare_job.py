"""What is settled before the first fold of a clustering recipe: features of images, the number of clusters, sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.progress import FEATURES
from harness.competition import Recipe
from harness.cv.jobs.prepare import PrepareJob, usable_cores


@dataclass(frozen=True)
class ClusterPrepareJob(PrepareJob):
    """As `PrepareJob`; writes recipe.json, folds.csv and environment.json of a run with [clusters]."""

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Compute and save what is missing."""
        import torch

        from harness.competition import find_competition
        from harness.cv.clustering.inputs import check_clusters, class_names, load_material
        from harness.data.resize import open_resized
        from harness.runs import Folds, RunFolder
        from harness.train.precision import cpu_name, usable_device

        torch.set_num_threads(usable_cores())  # nothing else runs yet
        recipe, device = self.recipe, usable_device(self.device)
        competition, dataset = open_resized(find_competition(self.competition), self.cache, recipe.data)
        check_clusters(competition, recipe, dataset)
        folds = Folds.load(self.folds)
        material = load_material(
            recipe, dataset, self.timings, str(device), lambda done, total: progress(FEATURES, done, total)
        )
        truth = competition.hook("truth")
        kinds = list(truth(dataset.train.ids)[1]) if truth else []
        k, over = self._number_of_clusters(material, folds, len(kinds))
        has_test = _predicts_test(recipe, material)
        environment = self.environment | {
            "competition": self.environment["competition"] | {"classes": class_names(competition, dataset, recipe, k)},
            "data": self.environment["data"]
            | ({} if has_test else {"n_test": 0, "unread_test": self.environment["data"]["n_test"]}),
            "clusters": {"k": k, "over_k": over, "kinds": kinds},
            **_sizes(recipe, material, k),
            "layout": _layout(recipe),
            "doubtful_views": [],
            "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        }
        verdicts = self.verdicts.read_text(encoding="utf-8") if self.verdicts else None
        RunFolder(self.run).start(recipe, folds, environment, verdicts)

    def _number_of_clusters(self, material: Any, folds: Any, n_kinds: int) -> tuple[int, list[dict[str, float]]]:
        """k, and what other numbers would be like, seen on the training rows of fold 0 only."""
        from harness.clustering.labeller import points_of
        from harness.clustering.quality import over_k

        spec = self.recipe.clusters
        assert spec is not None
        if spec.labels == "truth":
            return n_kinds, []
        lines = []
        if spec.k_range:
            points = points_of(material, folds.train_rows(0), self.recipe, self.recipe.seed)
            rows = np.random.default_rng(0).permutation(len(points))[:_MOST_ROWS]
            lines = over_k(points[rows], spec.k_range, max(spec.n_init // 2, 1), 3, self.recipe.seed)
        best = max(lines, key=lambda line: line["mean"])["k"] if lines else 0
        return int(best if spec.k == "auto" else spec.k), lines


_MOST_ROWS = 4000


def _predicts_test(recipe: Recipe, material: Any) -> bool:
    """Whether the test has what the recipe must be fed."""
    if recipe.model.name == "lstm":
        return material.test_tokens is not None
    if recipe.model.name in ("image_head", "fusion"):
        return material.test_images is not None
    assert recipe.clusters is not None
    seen = {"images": material.test_images is not None, "captions": material.test_tokens is not None}
    seen["both"] = seen["images"] or seen["captions"]
    return seen[recipe.clusters.source]


def _sizes(recipe: Recipe, material: Any, k: int) -> dict[str, int]:
    """Parameters of the network, without the word vectors, which are not trained and differ in number from fold to fold."""
    import torch

    from harness.clustering.labeller import text_of
    from harness.models.captioned import Shape, build_captioned

    if recipe.model.name == "kmeans":
        return {"parameters": 0, "trained_parameters": 0}
    vectors = torch.zeros(2, text_of(recipe).dimensions)
    width = 1 if material.images is None else material.images.shape[1]
    network = build_captioned(recipe.model, Shape(k, vectors, torch.zeros(width), torch.ones(width)))
    n = sum(p.numel() for p in network.parameters())
    return {"parameters": n, "trained_parameters": n}


def _layout(recipe: Recipe) -> dict[str, Any]:
    """These networks are too small to gain from bfloat16."""
    precision = "bf16" if recipe.train.precision == "bf16" else "fp32"
    how = "as the recipe says" if recipe.train.precision != "auto" else "small networks gain nothing by less"
    return {"precision": precision, "predict_precision": precision, "channels_last": False, "how": how}
