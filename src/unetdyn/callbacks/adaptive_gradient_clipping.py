"""Clip each unit's gradient where it is large against the unit's weights."""

import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_positive, unknown_choice
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages.clipping import units_clipped
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, Rows, Step, blocks
from unetdyn.dynamics.clipping import unit_factors
from unetdyn.dynamics.probe import AddVariable, Factors, Tensor
from unetdyn.dynamics.settable_number import SettableNumber
from unetdyn.dynamics.weight_kinds import unit_axes, weight_kind


class AdaptiveGradientClipping(StepControl):
    """A control that keeps each unit's gradient norm below a fraction of the norm of the unit's weights.

    Gᵢ → Gᵢ · min(1, λ · max(‖Wᵢ‖, ε) / ‖Gᵢ‖) for every unit i of every weight: an output channel of a convolution
    (transposed and depthwise ones too), an output of a dense layer; a bias or a norm's gain is one unit as a whole, as
    in the authors' code; see `unetdyn.dynamics.weight_kinds.unit_axes`. It acts inside the compiled step, before the
    optimizer's own `clipnorm`, and never waits for the host.

    NaN and infinite entries are not mended: put a `NonFiniteGuard` beside it. Where finite entries, beyond about 1e19,
    have a norm that float32 cannot hold, the unit's gradient becomes 0. Under gradient accumulation the gradient of
    each micro-batch is clipped. Several controls act in their order in the list of callbacks, each on what the one
    before left.

    In `logs`: `agc_fraction`, the fraction of the epoch's units (units × steps) that were clipped.

    Args:
        clipping: λ > 0, the largest ratio ‖Gᵢ‖ / ‖Wᵢ‖ that is left alone. Default 0.01, the paper's for batches of 4096
            and the smallest it tried; smaller batches bear larger values.
        eps: ε > 0, the least norm that weights count with, so that units which start from zero can learn. Default 1e-3,
            the paper's.
        exclude: Names of blocks, as `unetdyn.dynamics.blocks` gives them, that are left alone. Default none. The paper
            leaves the last layer alone, and found that always better: `exclude=("head",)` with our models.
        verbose: 1 prints a sentence for each epoch in which something was clipped; 0 is silent.
        name: First part of the key, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: `step` and `clip_fraction`, arrays of shape `(steps,)`: the fraction of units that were clipped; and
            `block_clip_fraction`, the same by block, without the excluded ones.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        TypeError: If `exclude` is not a sequence of names.
        ValueError: If an argument is out of its range, or, when training begins, a name is no block of the model.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mean_absolute_error")
        >>> model.set_weights([np.array([[2.0]])])
        >>> x = np.ones((3, 1))  # the gradient is -1: each step may go by 1 % of the weight
        >>> clip = AdaptiveGradientClipping(clipping=0.01)
        >>> _ = model.fit(x, 100 * x, batch_size=1, verbose=0, callbacks=[clip])
        >>> round(float(model.get_weights()[0][0, 0]), 5), float(clip.record["clip_fraction"][0])
        (2.0606, 1.0)

    Reference:
        Brock, De, Smith, Simonyan (2021), High-Performance Large-Scale Image Recognition Without Normalization,
        equation 3.
    """

    declaration = declarations.AGC

    def __init__(
        self,
        clipping: float = 0.01,
        eps: float = 1e-3,
        exclude: Sequence[str] = (),
        verbose: int = 0,
        name: str = "agc",
    ) -> None:
        check_positive("clipping", clipping)
        check_positive("eps", eps)
        if isinstance(exclude, str) or not all(isinstance(block, str) for block in exclude):
            raise TypeError(f"`exclude` must be a sequence of names of blocks. Received: exclude={exclude!r}.")
        self._control: _ClipUnits | None = None
        self._clipping = SettableNumber(clipping)
        self.eps = float(eps)
        self.exclude = tuple(exclude)
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        arguments = ("clipping", "eps", "exclude", "verbose", "name")
        return {argument: getattr(self, argument) for argument in arguments}

    def get_state(self) -> dict[str, Any]:
        """With λ; that on the device is among the training's variables."""
        return super().get_state() | {"clipping": self.clipping}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self.clipping = state["clipping"]

    @property
    def clipping(self) -> float:
        """λ. Set between two epochs, it holds from the next step on, without anything being compiled anew."""
        return self._clipping.value

    @clipping.setter
    def clipping(self, clipping: float) -> None:
        check_positive("clipping", clipping)
        self._clipping.value = clipping

    def probe(self) -> Control:
        """The clipping of the blocks that are not excluded."""
        if self.model.built:
            _places(blocks(self.model), self.exclude)  # a wrong name is told before anything is attached
        self._control = _ClipUnits(self.model, self._clipping, self.eps, self.exclude)
        return self._control

    def _empty_record(self) -> StepRecord:
        return StepRecord(step=np.zeros(0, np.int64), clip_fraction=np.zeros(0, np.float32), block_clip_fraction={})

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        assert self._control is not None, "there are rows"
        units, clipped = np.array(self._control.units), rows.extra["clipped"]
        fraction = clipped.sum(axis=1) / max(units.sum(), 1)
        of_block = {
            name: clipped[:, own].sum(axis=1) / units[own].sum()
            for name, own in blocks.items()
            if name not in self.exclude
        }
        self._series.append(step=rows.step, clip_fraction=fraction, block_clip_fraction=of_block)
        if clipped.any():
            self.report(units_clipped(fraction, of_block))
        return {f"{self.name}_fraction": float(fraction.mean())}


class _ClipUnits(Control):
    """Unit-wise clipping of the weights that are not excluded."""

    def __init__(self, model: keras.Model, clipping: SettableNumber, eps: float, exclude: tuple[str, ...]) -> None:
        self._model = weakref.ref(model)
        self._clipping = clipping
        self._eps = eps
        self._exclude = exclude

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:
        self._clipping.build(add_variable)
        model = self._model()
        assert model is not None, "it is being trained"
        spared = _places(blocks(model, variables), self._exclude)
        kinds = {id(v): weight_kind(layer, v) for layer in _layers(model) for v in layer.trainable_variables}
        self._axes = [
            None if place in spared else unit_axes(tuple(v.shape), kinds.get(id(v), "other"))
            for place, v in enumerate(variables)
        ]
        self.units = [0 if axes is None else _units(v, axes) for v, axes in zip(variables, self._axes, strict=True)]

    def key(self) -> Hashable:
        return type(self), self._eps, self._exclude

    def columns(self) -> dict[str, int]:
        return {"clipped": len(self.units)}

    def transform(self, step: Step) -> tuple[Factors, None, dict[str, Tensor]]:
        factors, counts, bound = Factors(), [], self._clipping.in_step
        for gradient, weight, axes in zip(step.gradients, step.weights, self._axes, strict=True):
            factor, count = None, ops.zeros((), "float32")
            if gradient is not None and axes is not None:
                factor, count = unit_factors(gradient, weight, axes, bound, self._eps)
            factors.append(factor)
            counts.append(count)
        return factors, None, {"clipped": ops.stack(counts)}


def _places(found: dict[str, list[int]], exclude: tuple[str, ...]) -> set[int]:
    for name in exclude:
        if name not in found:
            raise ValueError(unknown_choice("exclude", name, found))
    return {place for name in exclude for place in found[name]}


def _layers(model: keras.Model) -> list[keras.Layer]:
    """All layers, those within others after them: the last that has a variable is the one that made it."""
    return list(model._flatten_layers(include_self=False))


def _units(variable: keras.Variable, axes: tuple[int, ...]) -> int:
    return int(np.prod([size for axis, size in enumerate(variable.shape) if axis not in axes], dtype=int))
