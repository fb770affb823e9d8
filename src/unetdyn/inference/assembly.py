"""Predictions of tiles in, finished lines out."""

from collections.abc import Callable, Sequence

import numpy as np

from unetdyn.inference.reduction import Reduction
from unetdyn.inference.sinks import Sink
from unetdyn.inference.slab import Slab
from unetdyn.inference.work import Piece, Plan


class Assembly:
    """Adds predictions up, and writes each line as soon as no further tile reaches it.

    Args:
        plan: Of all pieces.
        classes: Channels of the model.
        reduction: What becomes of its outputs.
        sink: Where the result goes.
        done: How many lines are written already, of all sections. Default 0.
        note: Is told how many lines are. Default None.

    Attributes:
        first_row: The first row of tiles that is needed.
    """

    def __init__(
        self,
        plan: Plan,
        classes: int,
        reduction: Reduction,
        sink: Sink,
        done: int = 0,
        note: Callable[[int], None] | None = None,
    ) -> None:
        self._plan, self._reduction, self._sink, self._note = plan, reduction, sink, note
        self._dtype = reduction.dtype_for(classes)
        self._channels = reduction.channels_for(classes)
        self._lines = plan.axes[0].length
        self._slab = Slab(plan.axes, classes, len(plan.symmetries), sink.together)
        item, line = divmod(done, self._lines)
        self.first_row = plan.rows if item == plan.items else plan.first_row_for(item, line)
        self._slab.begin(line)
        self._row = self.first_row

    def take(self, outputs: np.ndarray, pieces: Sequence[Piece]) -> None:
        """What the model gave for some pieces, in their order; pieces of rows that aren't needed are passed over."""
        scores = self._reduction.scores(outputs[: len(pieces)])
        for piece, score in zip(pieces, scores, strict=True):
            if piece.row < self.first_row:
                continue
            if piece.row != self._row:
                self._finish_row()
                self._row = piece.row
            self._slab.add(piece, score)

    def close(self) -> None:
        """All pieces were taken."""
        if self._row < self._plan.rows:
            self._finish_row()

    def _finish_row(self) -> None:
        item, number = self._plan.place(self._row)
        stop = self._plan.axes[0].settled(number)
        if stop < self._lines:
            stop -= stop % self._sink.together
        first = self._slab.first
        if stop <= first:
            return
        lines = self._slab.lines(stop)
        values = np.empty((*lines.shape[:-1], self._channels), self._dtype)
        for value, line in zip(values, lines, strict=True):  # one by one: what is made on the way has its size
            value[...] = self._reduction.result(line, self._dtype)
        self._sink.write(item, first, values[..., 0] if self._channels == 1 else values)
        self._slab.drop(stop)
        if self._note is not None:
            self._note(item * self._lines + stop)
        if stop == self._lines:
            self._slab.begin(0)
