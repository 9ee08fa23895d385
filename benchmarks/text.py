"""python -m benchmarks.text: an LSTM over captions against a per-sample loop, and what a reproducible Word2Vec costs.

Both train the same network (LSTM 128, dense 64, batch 32) on the same captions and labels for one epoch. The peer is what a
competitor writes: a Dataset that gives one image's captions as padded tensors of 50 tokens, a shuffling DataLoader, a loop.
Ours: all captions in one tensor, batches of like length, trimmed to the longest. Rounds alternate; ratios are medians.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.common import compare, describe_machine, load_before, print_comparison, print_machine, take_turns
from harness.base.command import data_root
from harness.clustering.kmeans import distances, fit_centroids
from harness.competition import DataChoice, Recipe, find_competition
from harness.competition.cluster_spec import TextSpec
from harness.data.dataset import load_dataset
from harness.models.captioned import Captioned, Shape, build_captioned
from harness.text.sequences import sequences
from harness.text.tokens import Tokens, tokenise
from harness.text.word_vectors import WordVectors
from harness.train.fit import Rows, fit
from harness.train.inputs.captions import CaptionedInputs
from harness.train.precision import Layout, cpu_name

LENGTH, BATCH = 50, 32


class PerSample(Dataset):
    """An image's captions, each padded to 50 tokens, and its label."""

    def __init__(self, tokens: Tokens, words: WordVectors, labels: np.ndarray) -> None:
        self.tokens, self.words, self.labels = tokens, words, labels

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        out = torch.zeros(5, LENGTH, dtype=torch.long)
        for place, caption in enumerate(self.tokens[row][:5]):
            known = [self.words.index[w] for w in caption if w in self.words.index][:LENGTH]
            out[place, : len(known)] = torch.tensor(known)
        return out, int(self.labels[row])


def plain_epoch(network: Any, data: PerSample, workers: int) -> int:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    for tokens, labels in DataLoader(data, BATCH, shuffle=True, drop_last=True, num_workers=workers):
        optimizer.zero_grad()
        F.cross_entropy(network(Captioned(tokens, None)), labels).backward()
        optimizer.step()
    return len(data)


def our_epoch(network: Any, numbers: np.ndarray, labels: np.ndarray, recipe: Recipe) -> int:
    inputs = CaptionedInputs(numbers, None, ("identity",), torch.device("cpu"))
    rows = Rows(torch.arange(len(labels)))
    fit(network, inputs, torch.from_numpy(labels), rows, recipe, Layout("fp32", False), 0)
    return len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_root(None), help="data root with flickr8k/flickr8k.zip")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print_machine(describe_machine(cpu_name(), load_before()))
    contest = find_competition("flickr8k").using(DataChoice(set="captions"))
    tokens = tokenise(load_dataset(contest, args.data).train.captions)
    spec = TextSpec(captions="each", length=LENGTH)
    _word_vectors(tokens)
    words = WordVectors.fit(tokens, range(len(tokens)), spec, 0)
    means = words.row_means(tokens)
    labels = distances(means, fit_centroids(means, 5, 3, 0)).argmin(axis=1)
    model = {"name": "lstm", "args": {"units": 128, "dense": [64], "dropout": 0.3}}
    train = {"epochs": 1, "batch_size": BATCH, "optimizer": "adam", "lr": 1e-3}
    recipe = Recipe(name="bench", model=model, train=train, clusters={}, text={"captions": "each"})
    shape, numbers = Shape(5, torch.from_numpy(words.vectors), None, None), sequences(tokens, words, spec)
    peer = PerSample(tokens, words, labels)

    def network() -> Any:
        torch.manual_seed(0)
        return build_captioned(recipe.model, shape)

    contenders = {
        "per-sample loop": lambda: plain_epoch(network(), peer, 0),
        "per-sample loop, 2 workers": lambda: plain_epoch(network(), peer, 2),
        "harness": lambda: our_epoch(network(), numbers, labels, recipe),
    }
    speeds = take_turns(contenders, args.rounds, warm_up=False)
    print_comparison("LSTM over five captions, one epoch", compare(speeds, "per-sample loop"))


def _word_vectors(tokens: Tokens) -> None:
    """One worker gives the same vectors for a seed; two are faster and do not."""
    from gensim.models import Word2Vec

    sentences = [words for row in tokens for words in row if words]
    seconds = {}
    for workers in (1, 2):
        started = time.perf_counter()
        Word2Vec(sentences, vector_size=100, window=5, min_count=1, epochs=5, seed=0, workers=workers)
        seconds[workers] = time.perf_counter() - started
    print(
        f"Word2Vec, {len(sentences):,} captions: {seconds[1]:.2f} s with one worker (reproducible), {seconds[2]:.2f} s with two"
    )


if __name__ == "__main__":
    main()
