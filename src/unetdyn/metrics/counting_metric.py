"""What all thresholded metrics are: totals of counts, a rule, a ratio, and warnings of what makes it meaningless."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import keras

from unetdyn._checks import plain
from unetdyn._warnings import warn
from unetdyn.metrics import counts, input_flags
from unetdyn.metrics.counting import CountingRule, validate
from unetdyn.metrics.ratios import Ratio, compute, totals_shape, update

Tensor = Any


class CountingMetric(keras.metrics.Metric):
    """A ratio of true and false positives and negatives, independent of how the data were batched.

    A subclass names its `ratio`, and how it is logged. The arguments are those of `ThresholdedJaccard`.
    """

    ratio: ClassVar[Ratio]
    log_name: ClassVar[str]

    def __init__(
        self,
        threshold: float | None = 0.5,
        comparison: Literal[">", ">="] = ">",
        aggregate: Literal["dataset", "image", "batch"] = "dataset",
        empty: float | Literal["skip"] = 1.0,
        from_logits: bool = False,
        class_ids: Sequence[int] | None = None,
        name: str | None = None,
        dtype: Any = None,
        *,
        ignore_label: float | None = None,
    ) -> None:
        super().__init__(name=name or self.log_name, dtype=dtype)
        ids = None if class_ids is None else tuple(plain(i) for i in class_ids)
        ignored = plain(ignore_label)
        self.rule = CountingRule(plain(threshold), comparison, aggregate, plain(empty), from_logits, ids, ignored)
        self.totals = self.add_variable(totals_shape(self.rule), "zeros", dtype="float32", name="totals")
        self.flags = self.add_variable((len(input_flags.FLAGS),), "zeros", dtype="float32", name="flags")
        self._direction = "up"  # read by Keras' EarlyStopping and ModelCheckpoint with mode="auto"
        self._channels, self._sparse = 1, False
        self._flags_read = False
        self._warned: set[str] = set()

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add a batch: labels and predictions `(batch, height, width, channels)`, and a mask."""
        batch = validate(y_true, y_pred, sample_weight, self.rule)
        self.totals.assign(counts.add(self.totals, update(batch, self.rule, self.ratio)))
        self.flags.assign(keras.ops.maximum(self.flags, input_flags.raise_flags(batch, self.rule)))
        self._channels, self._sparse = batch.y_pred.shape[-1], batch.sparse

    def result(self) -> Tensor:
        """The score of everything since the last reset."""
        if not self._flags_read:  # once an epoch: where steps run eagerly, Keras asks for a result after each of them
            self._warn()
        return compute(self.totals, self.rule, self.ratio)

    def reset_state(self) -> None:
        """Forget everything but the warnings already given."""
        self._warn()
        super().reset_state()
        self._flags_read = False

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        ids = self.rule.class_ids
        return {
            **super().get_config(),
            "threshold": self.rule.threshold,
            "comparison": self.rule.comparison,
            "aggregate": self.rule.aggregate,
            "empty": self.rule.empty,
            "from_logits": self.rule.from_logits,
            "class_ids": None if ids is None else list(ids),
            "ignore_label": self.rule.ignore_label,
        }

    def _warn(self) -> None:
        flags = input_flags.on_host(self.flags)
        if flags is None:
            return
        self._flags_read = True
        for code, text in input_flags.warnings_due(flags, channels=self._channels, sparse=self._sparse):
            again = code in self._warned
            self._warned.add(code)
            warn(code, f"Metric '{self.name}': {text}", stacklevel=3, again=again)
