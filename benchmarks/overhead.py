"""python -m benchmarks.overhead: what the harness costs over its bare training step.

A fold as the command trains it (progress, history, looks at the loss, checkpoint, predictions, run folder) against a bare
loop of the same steps: pixels, augmentation, forward, backward, optimiser, and the same prediction. Both in one process, in
turns; the ratio is the bare loop's speed over the harness's, less one.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.common import compare, describe_machine, load_before, print_comparison, print_machine, take_turns
from benchmarks.train_speed import NETWORKS, prepare
from harness.base.command import JsonOption, new_app, user_command

app = new_app()


@app.command()
@user_command
def main(
    rows: Annotated[int, typer.Option(min=1000, help="Labelled rows; four fifths are trained on.")] = 6000,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Time a fold against its bare steps, on 32x32 colour images. Let nothing else run."""
    from harness.train.precision import cpu_name

    before = load_before()
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        fold = Fold(Path(folder), rows, epochs, threads)
        compared = compare(take_turns({"bare": fold.bare, "harness": fold.harness}, rounds), "bare")
    overhead = 1 / compared["harness"]["ratio"]["median"] - 1
    machine = describe_machine(cpu_name(), before)
    if as_json:
        print(json.dumps({"machine": machine, "compared": compared, "overhead": round(overhead, 4)}, indent=2))
        return
    print_comparison(f"A fold of {rows:,} rows, {epochs} epochs, against its bare steps", compared)
    print(f"overhead: {overhead:.1%}")
    print_machine(machine)


class Fold:
    """Fold 0 of a prepared run, trained either way."""

    def __init__(self, folder: Path, rows: int, epochs: int, threads: int) -> None:
        from harness.base.progress import LineWatcher
        from harness.competition import find_competition, load_recipe
        from harness.cv.jobs.fold_job import FoldJob
        from harness.cv.options import Options
        from harness.cv.pipeline import cross_validate
        from harness.data.dataset import load_dataset

        competition_folder, _ = prepare("color", folder, None, rows)
        competition = find_competition(competition_folder)
        recipe = load_recipe(competition.folder, NETWORKS["color"], [f"train.epochs={epochs}"])
        dataset = load_dataset(competition, folder / "data")
        options = Options(folder, folds=(0,), workers=1, device="cpu")
        self.run = cross_validate(competition, recipe, dataset, options, LineWatcher(quiet=True))
        self.job = FoldJob(self.run.path, competition.folder, dataset.cache, 0, "cpu", threads)
        self.competition, self.dataset = competition, dataset

    @property
    def images(self) -> int:
        spec = self.run.recipe.train
        return len(self.run.folds.train_rows(0)) // spec.batch_size * spec.batch_size * spec.epochs

    def harness(self) -> int:
        (self.run.path / "fold-0.npz").unlink()
        self.job(lambda *told: None)
        return self.images

    def bare(self) -> int:
        import torch
        import torch.nn.functional as F

        from harness.cv.jobs.fold_data import Opening, Pixels
        from harness.train.augment import Draws, augment
        from harness.train.fit import epoch_batches
        from harness.train.inputs.pixels import to_float
        from harness.train.optim import build_optimizer
        from harness.train.precision import Layout

        torch.set_num_threads(self.job.threads)
        recipe, cpu = self.run.recipe, torch.device("cpu")
        layout = Layout.of(self.run.environment["layout"])
        predicting = Layout.of(self.run.environment["layout"], predicting=True)
        data: Any = Pixels(Opening(self.competition, recipe, self.dataset, self.run.environment, cpu, 1))
        rows = torch.from_numpy(self.run.folds.train_rows(0))
        network = data.new_network(rows).to(memory_format=layout.memory_format)
        optimizer, labels = build_optimizer(network, recipe.train), torch.from_numpy(self.dataset.train.labels)
        draws, order = Draws(cpu, 0), torch.Generator().manual_seed(0)
        for _ in range(recipe.train.epochs):
            for batch in epoch_batches(rows, recipe.train.batch_size, order):
                x = augment(to_float(data.images.take(batch), layout.memory_format), recipe.augment, draws)
                with layout.autocast(cpu):
                    logits = network(x)
                F.cross_entropy(logits.float(), labels[batch]).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        network.eval()
        with torch.inference_mode(), predicting.autocast(cpu):
            for source, some in (
                (data.images, torch.from_numpy(self.run.folds.valid_rows(0))),
                (data.test.images, None),
            ):
                wanted = torch.arange(source.shape[0]) if some is None else some
                for batch in wanted.split(recipe.predict.batch_size):
                    network(to_float(source.take(batch), predicting.memory_format)).softmax(dim=1)
        return self.images


if __name__ == "__main__":
    app()
