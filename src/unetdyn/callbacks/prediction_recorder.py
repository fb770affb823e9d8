"""Keep what the model predicts of a few tiles of the validation data, from the first epoch to the last."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from unetdyn._checks import check_count, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.best_model import BestModel
from unetdyn.callbacks.evaluated_weights import EvaluatedWeights
from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.callbacks.probe_monitor import BUDGET, ProbeMonitor, in_float32, maps_of
from unetdyn.callbacks.probe_set import BATCH_SIZE, Probe
from unetdyn.callbacks.watched_tiles import WatchedTiles
from unetdyn.dynamics.loss_kinds import expects_logits
from unetdyn.models import attention_model
from unetdyn.runs.predictions import Predictions

IMAGES = 32
SIZE = 256
MAX_BYTES = 8 * 2**20


class PredictionRecorder(ProbeMonitor):
    """Predicts a fixed choice of tiles of the validation data again and again, and keeps what it has seen.

    The choice is made when validation images are first looked at, and stays: the tiles with most foreground, those
    with most boundary, the hardest (largest mean of |p − y| at that time), and some by chance, `each` of every kind
    where there are so many. An image larger than `size` is cut into tiles of that size.

    They are predicted in the first epoch, the last, every `every` epochs, and in an epoch that is better than all
    before by what the model is judged by (the first metric of the validation, an overlap before others, else the
    validation loss), as `RunRecorder` with `save_best="auto"` has it; but for the first and the last only where
    the budget allows. With
    `keras.callbacks.SwapEMAWeights`, it is the averages that predict, which were validated.

    Probabilities are kept in eight bits and compressed, as are the maps of attention gates, in 64 × 64 pixels at most,
    of our models that have gates. All of it is never more than `max_bytes`: where the next epoch has no room, epochs
    are given up, each time that whose neighbours are closest to each other. So what is left is spread over the
    training; the first epoch, the last and the best stay in any case.

    Logits of one channel, where the compiled loss has `from_logits`, are read as probabilities. Of a list of outputs,
    as deep supervision has it, it is the first. Of several classes, of outputs with names, and of outputs outside
    [0, 1], nothing is kept, which is said once. Training is never changed.

    `PredictionDisplay` draws it, the report and `LiveDashboard` have it.

    Args:
        probe: As in `TrainInferenceGapMonitor`: images and masks to choose from; None (default) for images of the
            validation data.
        each: How many tiles of each of the four kinds. Default 2, eight tiles in all: a page shows no more.
        every: After how many epochs they are predicted again. Default 5.
        size: Height and width of a tile at most. Default 256.
        max_bytes: How much is kept, in the run directory as in memory. Default 8 MiB: with eight tiles
            of 256 × 256 pixels about twenty epochs.
        images: How many images are looked through for the choice at most. Default 32.
        batch_size: How many go through the model at once. Default 8.
        budget: Share of the training's time that it may take, as in `TrainInferenceGapMonitor`. Default 0.02.
        seed: Of the tiles that are chosen by chance. Default 0.
        name: First part of the key, and the name under which `RunRecorder` keeps the record.
        verbose: 1 prints at the end what it cost; 0 is silent.

    Attributes:
        record: `(epochs,)` arrays `epoch`, `jaccard` (of the tiles, pooled, at 0.5), `seconds`, NaN and 0 where
            nothing was predicted; by epoch the compressed `probability`; by epoch and gate `gate`; `image`, `mask`,
            `shape`, `kind`, `place`, `gate_shape`, `best`. `predictions` unpacks them.
        results: `cost`, a `ProbeCost`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile(loss="binary_crossentropy", optimizer="sgd")
        >>> x = np.random.default_rng(0).random((8, 8, 8, 1))
        >>> recorder = PredictionRecorder(each=1)
        >>> _ = model.fit(x, x > 0.5, validation_data=(x, x > 0.5), epochs=3, verbose=0, callbacks=[recorder])
        >>> found = recorder.predictions
        >>> found.kinds, found.probability(found.epochs[-1]).shape
        (('most foreground', 'most boundary', 'hardest', 'random'), (4, 8, 8))
    """

    declaration = declarations.PREDICTIONS
    _tiles: WatchedTiles

    def __init__(
        self,
        probe: Any = None,
        each: int = 2,
        every: int = 5,
        size: int = SIZE,
        max_bytes: int = MAX_BYTES,
        images: int = IMAGES,
        batch_size: int = BATCH_SIZE,
        budget: float | None = BUDGET,
        seed: int = 0,
        name: str = "predictions",
        verbose: int = 0,
    ) -> None:
        check_count("each", each, least=1, unit="tiles of each kind")
        check_count("every", every, least=1)
        check_count("size", size, least=8, unit="pixels")
        check_count("max_bytes", max_bytes, least=2**16, unit="bytes")
        check_count("seed", seed, least=0, unit="")
        self.each, self.every, self.size = map(plain, (each, every, size))
        self.max_bytes, self.seed = plain(max_bytes), plain(seed)
        self._weights = EvaluatedWeights()
        self._gated: keras.Model | None = None
        super().__init__(probe, images, batch_size, budget, name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """What was seen: numbers with one element an epoch, and compressed pictures."""
        best = self._choice.best
        return super().record | self._tiles.record | {"best": np.array(-1 if best is None else best[0], dtype=np.int64)}

    def record_since(self, row: int) -> tuple[int, dict[str, Any]] | None:  # noqa: ARG002
        """The whole record in an epoch that was predicted, at the end, and as long as this `fit` has predicted nothing.

        In between there is nothing new but that nothing was predicted.
        """
        return None if self._compiles or self._predicted_in == self._epoch else (1, {})

    @property
    def predictions(self) -> Predictions | None:
        """The tiles, and what was predicted of them so far; None before the first time."""
        return Predictions.from_record(self.record) if len(self._tiles.kept) else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See whether the model has gates, and who exchanges its weights."""
        super().on_train_begin(logs)
        self._weights.begin_fit(self.model)
        self._gated = with_gates(self.model)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """A validation begins, with other weights maybe."""
        self._weights.begin_test()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """It has ended."""
        self._weights.end_test()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let go of the model."""
        super().on_train_end(logs)
        self._gated, self._compiles = None, True

    def _columns(self) -> tuple[str, ...]:
        return ("jaccard",)

    def _due(self, logs: Mapping[str, Any]) -> bool:
        """As the class says; of those that are due, the best is noted."""
        better = self._better(logs)
        asked = not len(self._tiles.kept) or (self._epoch + 1) % self.every == 0 or better is not None
        due = self._is_last() or (asked and (self._within_budget() or self._compiles))
        if due and better is not None:
            self._choice.best = self._epoch, better
        return due

    def _better(self, logs: Mapping[str, Any]) -> float | None:
        """The value of this epoch, if it is the best of those that were predicted."""
        metrics = metric_directions(self.model)
        self._choice.settle(logs, metrics)
        value = self._choice.value(logs)
        if value is None:
            return None
        self._choice.guesses(str(self._choice.name), LogKeys(metrics))
        return value if self._choice.is_better(value) else None

    def _measure(self, probe: Probe) -> dict[str, Any]:
        with self._weights.in_model():
            batches = [each[False] for each in self._forward(probe)]
        found = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
        try:
            maps = maps_of(found["outputs"], probe.y, expects_logits(self.model))
        except ValueError as reason:
            self._say_once("predictions", str(reason))
            return {"jaccard": float("nan")}
        if self._weights.are_others():
            why = "something exchanges the weights for the validation and puts them back before the epoch's end"
            self._say_once("predictions of the weights that were validated", why)
        gates, rows = found.get("gates", {}), self._tiles.rows
        if not rows:
            try:
                self._tiles.choose(probe.x, maps, len(gates), self.each, self.seed)
            except ValueError as reason:
                self._without, self._probe = True, None
                self._say_once("predictions", str(reason))
                return {"jaccard": float("nan")}
            self._probe, rows = self._tiles.probe_of(probe), [tile.image for tile in self._tiles.chosen]
        self._predicted_in = self._epoch
        best = None if self._choice.best is None else self._choice.best[0]
        return {"jaccard": self._tiles.keep(self._epoch, maps, gates, rows, best)}

    def _one_mode(self, x: Any, y: Any, training: bool) -> dict[str, Any]:
        if self._gated is None:
            return super()._one_mode(x, y, training)
        return in_float32(self._gated(x, training=training))

    def _new_probe(self) -> Probe | None:
        probe = super()._new_probe()
        return self._tiles.probe_of(probe) if probe is not None and self._tiles.chosen else probe

    def _logged(self, row: dict[str, Any]) -> dict[str, float]:
        return {f"{self.name}_jaccard": row.get("jaccard", float("nan"))}

    def _restart(self) -> None:
        super()._restart()
        self._tiles = WatchedTiles(self.size, self.max_bytes)
        self._choice = BestModel("auto", "auto")
        self._predicted_in = -1

    def get_state(self) -> dict[str, Any]:
        """With the tiles, and all that is kept of them."""
        return super().get_state() | {
            "tiles": self._tiles.get_state(),
            "choice": self._choice.get_state(),
            "predicted_in": self._predicted_in,
            "weights": self._weights.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._predicted_in = state["predicted_in"]
        for part, name in ((self._tiles, "tiles"), (self._choice, "choice"), (self._weights, "weights")):
            part.set_state(state[name])


def with_gates(model: keras.Model) -> keras.Model | None:
    """A model of the same layers that answers with the outputs and the maps of its gates; None where there are none."""
    try:
        maps = attention_model(model).output
        if not all(len(alpha.shape) == 4 and alpha.shape[-1] == 1 for alpha in maps.values()):
            return None
        return keras.Model(model.input, {"outputs": model.output, "gates": maps}, name=f"{model.name}_with_gates")
    except (ValueError, AttributeError, TypeError, IndexError):  # another model, whatever its layers are called
        return None
