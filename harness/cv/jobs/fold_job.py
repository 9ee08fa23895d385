"""One fold of one run as a unit of work: picklable, idempotent, the same in this process, another one, or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

    from harness.competition import Competition, Recipe, Samples
    from harness.cv.jobs.fold_data import FoldData, Opening, WholeNetworks
    from harness.runs import Folds, RunFolder
    from harness.runs.notes.progress import ProgressFile
    from harness.runs.probability_tables import Summing
    from harness.train.fit import Rows
    from harness.train.inputs.network_inputs import Inputs

Progress = Callable[[int, int, int], None]
"""(fold, images done, images in all), training and prediction together."""


@dataclass(frozen=True)
class FoldJob:
    """Train a fold's models and write fold-K.npz and its checkpoint; nothing, where fold-K.npz stands.

    Attributes
    ----------
    run : the run folder, started (recipe, folds and environment are read from it)
    competition : the competition's folder
    cache : the decoded data set
    fold : its number
    device : "cpu", "cuda:1", "mps"
    threads : CPU threads to compute with
    after_epoch : told (epoch, score of the rows that are judged, without TTA) while the first seed trains; what it raises
        ends the fold. A job that has it stays in its process
    together : all folds that the same call trains, for those who follow how far it is
    """

    run: Path
    competition: Path
    cache: Path
    fold: int
    device: str
    threads: int
    after_epoch: Callable[[int, float], None] | None = None
    together: tuple[int, ...] = ()

    def __call__(self, progress: Progress) -> None:
        """Train the fold and save it; nothing, where it stands."""
        from harness.runs import RunFolder
        from harness.runs.notes.progress import TRAINING, ProgressFile

        folder = RunFolder(self.run)
        if folder.fold_stands(self.fold):
            return
        try:
            with ProgressFile(self.run, self.fold, TRAINING, progress, self.together) as told:
                self.train(folder, told)
        except UserError as error:
            raise UserError(f"fold {self.fold}: {error}") from error
        except (RuntimeError, MemoryError) as error:
            from harness.train.precision import is_out_of_memory

            if not is_out_of_memory(error):
                raise
            batch = folder.recipe().train.batch_size
            raise UserError(
                f"fold {self.fold}: {self.device} has too little memory for batches of {batch}. Lower it: --set "
                f"train.batch_size={max(batch // 2, 1)}"
            ) from error

    def train(self, folder: RunFolder, told: ProgressFile) -> None:
        """Do the work; memory that is short and mistakes are explained by the caller."""
        train_fold(self, folder, told)


def train_fold(job: FoldJob, folder: RunFolder, told: ProgressFile) -> None:
    """Train every seed of a fold, average their probabilities, save."""
    from harness.runs import FoldResult
    from harness.runs.probability_tables import Summing

    started = time.perf_counter()
    fold = FoldTraining.open(job, folder, told.progress)
    seeds = fold.recipe.train.seeds
    n_classes, n_test = len(fold.opening.competition.classes), fold.data.test.n if fold.data.test else 0
    valid = Summing(len(fold.valid_rows), n_classes, seeds, folder.fold_table(job.fold, "valid"))
    test = Summing(n_test, n_classes, seeds, folder.fold_table(job.fold, "test"))
    history: list[dict[str, Any]] = []
    states: dict[str, torch.Tensor] = {}
    for seed in range(seeds):
        network, lines = fold.train(seed, told, job.after_epoch if seed == 0 else None)
        fold.predict(network, fold.data.predicting, fold.valid_rows, valid)
        fold.predict_test(network, test)
        history += [{"fold": job.fold, "seed": seed, **line} for line in lines]
        states |= {f"seed-{seed}.{name}": tensor for name, tensor in network.state_dict().items()}
    save_checkpoint(folder.checkpoint_path(job.fold), states)
    folder.save_fold(
        FoldResult(
            fold=job.fold,
            valid_index=fold.valid_rows.cpu().numpy(),
            valid_proba=valid.mean(),
            test_proba=test.mean(),
            history=history,
            seconds=time.perf_counter() - started,
        )
    )


@dataclass(frozen=True)
class _Learned:
    """What a fold is trained on.

    Attributes
    ----------
    train : int64 (m,), rows; from n on they are pseudo-labelled test rows
    watched : int64, rows that a checkpoint is chosen on, or None
    labels : (n + p, ...), of all training rows and of the pseudo-labelled ones
    weights : float (n + p,), or None
    """

    train: np.ndarray
    watched: np.ndarray | None
    labels: np.ndarray
    weights: np.ndarray | None


def _learned(
    folder: RunFolder, recipe: Recipe, competition: Competition, samples: Samples, folds: Folds, fold: int
) -> _Learned:
    """The rows of a fold's training, with the verdicts of the run and its pseudo-labels."""
    from harness.clean.verdicts import apply_verdicts
    from harness.cv.folds import split_watched
    from harness.cv.jobs.row_weights import row_weights
    from harness.cv.pseudo_labels import joined, pseudo_rows, source_of

    if folder.verdicts_path.is_file():
        samples = apply_verdicts(folder.verdicts_path, samples, competition.classes).samples
    train, watched = split_watched(samples, folds, fold, recipe)
    labels = samples.labels if samples.soft is None else samples.soft
    assert labels is not None  # training rows always have labels
    if recipe.pseudo:
        source = source_of(folder.path, recipe)
        more, targets = pseudo_rows(source, fold, recipe.pseudo.threshold, competition.kind)
        train, labels = np.concatenate([train, len(labels) + more]), joined(labels, targets)
    weights = row_weights(samples.weight, train, len(labels)) if recipe.train.row_weights else None
    return _Learned(train, watched, labels, weights)


def _settle_process(threads: int) -> None:
    """How torch computes in the process of a fold."""
    import torch

    from harness.train.allocator import keep_freed_memory

    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True  # costs nothing that could be measured; a resumed fold has the same bits
    keep_freed_memory()


@dataclass(frozen=True)
class FoldTraining:
    """What all seeds of a fold share: where the inputs come from, the rows, the recipe.

    Attributes
    ----------
    data : pixels on the device, or stored features
    labels : int64 (n,) on the device; with [pseudo] those of the test rows follow
    rows : what is trained on and what is watched; valid_rows : int64, what is predicted
    tick : told how many images were done
    kept : bool (n,), rows that scores are taken from
    folder : the run's, where the fold's weights lie, or will lie
    opening : what `data` was opened with
    """

    fold: int
    recipe: Recipe
    data: FoldData
    labels: torch.Tensor
    rows: Rows
    valid_rows: torch.Tensor
    tick: Callable[[int], None]
    kept: np.ndarray
    folder: RunFolder
    opening: Opening

    @classmethod
    def open(cls, job: FoldJob, folder: RunFolder, progress: Progress) -> FoldTraining:
        """Open data, folds and device of a job, in the process that runs it."""
        import torch

        from harness.base.python.registered import check_digests
        from harness.competition import find_competition
        from harness.cv.jobs.fold_data import Opening, fitted_encoder, open_fold_data
        from harness.data.resize import open_resized
        from harness.runs import Folds
        from harness.train.fit import Rows
        from harness.train.precision import usable_device

        _settle_process(job.threads)
        check_digests(folder.environment().get("registered", {}), f"run '{folder.name}'")
        recipe, folds, device = folder.recipe(), Folds.load(folder.path / "folds.csv"), usable_device(job.device)
        competition, dataset = open_resized(find_competition(job.competition), job.cache, recipe.data)
        learned = _learned(folder, recipe, competition, dataset.train, folds, job.fold)
        valid = folds.valid_rows(job.fold)
        encoder = fitted_encoder(competition, recipe, dataset, learned.train[learned.train < len(dataset.train)])
        opening = Opening(competition, recipe, dataset, folder.environment(), device, job.threads, encoder)
        data = open_fold_data(opening)
        n_predicted = len(valid) + (len(dataset.test) if dataset.test else 0)
        n_images = images_in_all(recipe, len(learned.train), n_predicted, _prediction_cost(recipe))

        def index(rows: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(rows).to(data.index_device)

        rows = Rows(
            index(learned.train),
            None if learned.watched is None else index(learned.watched),
            None if learned.weights is None else torch.from_numpy(learned.weights).to(device),
        )
        return cls(
            fold=job.fold,
            recipe=recipe,
            data=data,
            labels=torch.from_numpy(learned.labels).to(device),
            rows=rows,
            valid_rows=index(valid),
            tick=ticker(job.fold, n_images, progress),
            kept=folds.kept,
            folder=folder,
            opening=opening,
        )

    def whole_networks(self) -> WholeNetworks:
        """Where networks that take pixels come from, whatever this fold was trained on."""
        from harness.cv.jobs.fold_data import WholeNetworks

        labelled = self.rows.train[self.rows.train < len(self.kept)]
        return WholeNetworks(self.opening, labelled)

    def saved_states(self) -> list[dict[str, torch.Tensor]]:
        """Weights of each seed, from the checkpoint.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder.checked_checkpoint(self.fold)
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(self.folder.damaged([f"{path.name} cannot be read ({error})"])) from error
        states: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            seed, _, parameter = name.partition(".")
            states.setdefault(seed, {})[parameter] = tensor
        return [states[seed] for seed in sorted(states)]

    def train(
        self, seed: int, told: ProgressFile, after_epoch: Callable[[int, float], None] | None = None
    ) -> tuple[nn.Module, list[dict[str, Any]]]:
        """Train one network; returns it with a dict per epoch, of which `told` hears as it ends."""
        import torch

        from harness.cv.jobs.looks import looks_of
        from harness.train.fit import fit

        number = seed_of(self.recipe.seed, self.fold, seed)
        torch.manual_seed(number)  # weights and dropout
        network = self.data.new_network(self.rows.train)
        self._keep_data_shares(network)
        inputs = self.data.training(number)
        look = self._look(after_epoch) if after_epoch else None
        layout, task = self.data.layout, self.opening.competition.kind
        tell, looks = telling(told, seed, self.recipe), looks_of(self)
        lines = fit(
            network, inputs, self.labels, self.rows, self.recipe, layout, number, self.tick, look, task, tell, looks
        )
        return network, lines

    def _keep_data_shares(self, network: nn.Module) -> None:
        """Let a network that learns the classes in other shares than the data's predict by the data's, unless the metric counts them alike."""
        from harness.competition.scoring.registry import counts_classes_alike
        from harness.models.network import set_logit_shift
        from harness.train.balance.prior import prior_of

        train, weights = self.rows.train.to(self.labels.device), self.rows.weights
        n_classes, spec = len(self.opening.competition.classes), self.recipe.train
        prior = prior_of(self.labels[train], n_classes, spec, None if weights is None else weights[train])
        if prior and not counts_classes_alike(self.opening.environment["competition"]["metric"]):
            set_logit_shift(network, prior.to_data.to(self.labels.device))

    def _look(self, after_epoch: Callable[[int, float], None]) -> Callable[[nn.Module, int], None]:
        """Score the rows that are judged, in one view, by the competition's metric (`Task.score_apart`)."""
        from harness.cv.scores import competition_metrics
        from harness.runs.probabilities import check_probabilities
        from harness.train.prediction.predict import Predictor, plain_proba

        task = self.opening.competition.kind
        metric, rows = competition_metrics(self.opening.competition)[0], self.valid_rows
        rows = rows[torch_mask(self.kept, rows)]
        labels = self.labels[rows.to(self.labels.device)].cpu().numpy()
        if task.is_one_class and labels.ndim > 1:  # shares of votes
            labels = labels.argmax(axis=1)
        ids = self.opening.dataset.train.ids[rows.cpu().numpy()]

        def look(network: nn.Module, epoch: int) -> None:
            predictor = Predictor(network, self.data.predict_layout)
            proba = plain_proba(predictor, self.data.predicting, rows, self.recipe.predict)
            check_probabilities(
                proba.numpy(), ids, f"epoch {epoch}", "Lower train.lr, or take train.precision = 'fp32'.", task
            )
            after_epoch(epoch, task.score_apart(metric, labels, proba.numpy()))

        return look

    def predict(self, network: nn.Module, inputs: Inputs, rows: torch.Tensor, to: Summing) -> None:
        """Add the probabilities (len(rows), C) to a table."""
        from harness.train.prediction.predict import Predictor, predict_batches

        cost, predictor, done = _prediction_cost(self.recipe), Predictor(network, self.data.predict_layout), 0
        for proba in predict_batches(predictor, inputs, rows, self.recipe.predict, lambda n: self.tick(n * cost)):
            to.add(done, proba.numpy())
            done += len(proba)

    def predict_test(self, network: nn.Module, to: Summing) -> None:
        """Add the probabilities (n_test, C); nothing, where the test is hidden."""
        import torch

        inputs = self.data.test
        if inputs is not None:
            self.predict(network, inputs, torch.arange(inputs.n, device=inputs.index_device), to)


def telling(told: ProgressFile, seed: int, recipe: Recipe) -> Callable[[dict[str, Any]], None]:
    """What a seed's epochs are told to, as `fit` has their lines."""
    return lambda line: told.epoch(seed=seed, epochs=recipe.train.epochs, **line)


def torch_mask(kept: np.ndarray, rows: torch.Tensor) -> torch.Tensor:
    """Which of these rows are kept, bool (len(rows),), on their device."""
    import torch

    return torch.from_numpy(kept[rows.cpu().numpy()]).to(rows.device)


def save_checkpoint(path: Path, states: dict[str, torch.Tensor]) -> None:
    """Write weights as safetensors, complete or not at all; what tensors share (seeds their encoder of columns) each has in the file."""
    from safetensors.torch import save

    alone: dict[str, torch.Tensor] = {}
    shared: set[int] = set()
    for name, tensor in states.items():
        kept = tensor.detach().cpu().contiguous()
        place = kept.untyped_storage().data_ptr()
        alone[name] = kept.clone() if place in shared else kept
        shared.add(place)
    content = save(alone)
    with complete_file(path) as temporary:
        temporary.write_bytes(content)  # save_file hides a full disk in an error of its own


def seed_of(recipe_seed: int, fold: int, seed: int) -> int:
    """Distinct for every (recipe seed, fold, bagging seed): SplitMix-style mixing, 31 bits."""
    mixed = (recipe_seed * 1_000_003 + fold * 10_007 + seed * 101 + 1) * 0x9E3779B97F4A7C15
    return (mixed >> 33) & 0x7FFFFFFF


def _prediction_cost(recipe: Recipe) -> int:
    """A forward pass of all views in units of a training step's image (a third of one each, rounded up)."""
    from harness.train.prediction.views import weighted_views

    return -(-len(weighted_views(recipe.predict)) // 3)


def images_in_all(recipe: Recipe, n_train: int, n_predicted: int, prediction_cost: int) -> int:
    """What a fold's ticks add up to; prediction_cost : of an image predicted, in units of one trained on."""
    from harness.train.fit import batches_per_epoch

    batch = min(recipe.train.batch_size, n_train)
    training = recipe.train.epochs * batches_per_epoch(n_train, batch) * batch
    return recipe.train.seeds * (training + n_predicted * prediction_cost)


def ticker(fold: int, total: int, progress: Progress, every: float = 0.25) -> Callable[[int], None]:
    """Add up images and report at most every quarter of a second."""
    done, last = 0, 0.0

    def tick(images: int) -> None:
        nonlocal done, last
        done += images
        now = time.monotonic()
        if now - last >= every or done >= total:
            last = now
            progress(fold, done, total)

    return tick
