"""Columns beside whatever a network is fed: each batch gets those of its rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from harness.competition.samples import Columns
from harness.data.columns.encoder import ColumnEncoder
from harness.models.tabular.columns import WithColumns
from harness.train.inputs.network_inputs import Inputs
from harness.train.transfer import to_device

_RESIDENT_BYTES = 256 * 2**20
"""Up to this size all rows are encoded at once and lie on the device; beyond it each batch is."""


class EncodedColumns:
    """Columns of some rows, as an encoder makes them.

    Parameters
    ----------
    parts : one after the other: rows of the second follow those of the first
    """

    def __init__(self, parts: list[Columns], encoder: ColumnEncoder, device: torch.device) -> None:
        self.parts, self.encoder, self.device = parts, encoder, device
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        self.whole: Tensor | None = None
        if self.starts[-1] * encoder.width * 4 <= _RESIDENT_BYTES:
            encoded = np.concatenate([encoder.encode(part) for part in parts])
            self.whole = torch.from_numpy(encoded).to(device)

    def take(self, rows: Tensor) -> Tensor:
        """float32 (B, D) of rows int64 (B,), on the device."""
        if self.whole is not None:
            return self.whole.index_select(0, to_device(rows, self.device))
        numbers = rows.cpu().numpy()
        table = np.empty((len(numbers), self.encoder.width), dtype=np.float32)
        for part, start in zip(self.parts, self.starts, strict=False):
            inside = np.flatnonzero((numbers >= start) & (numbers < start + len(part)))
            table[inside] = self.encoder.encode(part, numbers[inside] - start)
        return to_device(torch.from_numpy(table), self.device)


class ColumnInputs:
    """Any inputs with the columns of the same rows beside them; see `harness.train.inputs.network_inputs.Inputs`."""

    def __init__(self, inputs: Inputs, columns: EncodedColumns) -> None:
        self.inputs, self.columns = inputs, columns
        self.n, self.device, self.index_device = inputs.n, inputs.device, inputs.index_device
        self.view_weights = inputs.view_weights

    def training(self, batches: list[Tensor], epoch: int) -> Iterator[WithColumns]:
        """Augmented batches of an epoch; columns are as they are."""
        return map(self._beside, batches, self.inputs.training(batches, epoch))

    def plain(self, batches: list[Tensor]) -> Iterator[WithColumns]:
        """Batches as they are."""
        return map(self._beside, batches, self.inputs.plain(batches))

    def views(self, batches: list[Tensor]) -> Iterator[list[WithColumns]]:
        """Each batch in every view that prediction combines, with the same columns in all."""
        for rows, views in zip(batches, self.inputs.views(batches), strict=True):
            columns = self.columns.take(rows)
            yield [WithColumns(view, columns) for view in views]

    def _beside(self, rows: Tensor, x: Tensor) -> WithColumns:
        return WithColumns(x, self.columns.take(rows))
