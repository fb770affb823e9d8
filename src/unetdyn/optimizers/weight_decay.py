"""Weight decay for kernels alone: biases, and the scales and offsets of norms, are left out."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras

from unetdyn.analysis.result import Result
from unetdyn.dynamics.optimizers import inner
from unetdyn.dynamics.weight_kinds import is_kernel


@dataclass(frozen=True)
class WeightDecayGroups(Result):
    """Which of a model's trainable weights decay; `print` shows it.

    Attributes:
        weight_decay: λ: at each step a weight that decays loses the fraction learning rate · λ of itself.
        decayed: The paths of the weights that decay, in the model's order.
        spared: The paths of those that don't.
    """

    weight_decay: float
    decayed: tuple[str, ...]
    spared: tuple[str, ...]

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("weight decay", f"{self.weight_decay:g}"),
            (f"{len(self.decayed)} decay", ", ".join(self.decayed)),
            (f"{len(self.spared)} don't", ", ".join(self.spared)),
        ]


def weight_decay_groups(optimizer: keras.Optimizer, model: keras.Model) -> WeightDecayGroups:
    """Let an optimizer's weight decay act on kernels only, and say on which.

    w ← (1 − η λ) w for kernels, before the optimizer's own update: that is what `weight_decay` means in every optimizer
    of Keras, Adam and SGD included; only Ftrl and ScheduleFreeAdamW overwrite it in their update (Keras 3.15). Biases,
    scales and offsets of norms, and slopes of PReLU are left alone: they are few, they don't overfit, and decay pulls a
    norm's scale to 0. Weights that are frozen now are sorted too, so that they may be freed later.

    Call it after the model is built, before or after `compile`, before it trains. What was excluded before with
    `exclude_from_weight_decay` is replaced. Keras does not save what is excluded: call it again with
    `model.optimizer` after `keras.saving.load_model`, or everything decays.

    Args:
        optimizer: Any of Keras' with a `weight_decay`, also inside a `LossScaleOptimizer`.
        model: The built model that it trains.

    Returns:
        The paths of what decays and of what doesn't.

    Raises:
        TypeError: If `optimizer` is not a Keras optimizer.
        ValueError: If it has no weight decay, if the model is not built or has no kernel, or if the optimizer was built
            for another one.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")], name="net")
        >>> optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.01)
        >>> print(weight_decay_groups(optimizer, model))
        weight decay  0.01
        1 decay       net/dense/kernel
        1 don't       net/dense/bias

    Reference:
        Loshchilov & Hutter (2019), Decoupled weight decay regularization. Leaving out biases and norms: He et al.
        (2019), Bag of tricks for image classification with convolutional neural networks, section 3.1; BERT's code.
    """
    if not isinstance(optimizer, keras.Optimizer):
        raise TypeError(
            "`optimizer` must be a Keras optimizer, such as keras.optimizers.AdamW(). "
            f"Received: optimizer={optimizer!r}."
        )
    updating = inner(optimizer)
    if not updating.weight_decay:
        raise ValueError(
            f"`optimizer` must have a weight decay: {type(updating).__name__}(..., weight_decay=1e-4). "
            f"Received: weight_decay={updating.weight_decay}."
        )
    if not model.built:
        raise ValueError("`model` must be built, so that its weights exist: call it, or `model.build(input_shape)`.")
    trainable = model.trainable_variables
    _check_own(updating, trainable)
    decayed = tuple(variable.path for variable in trainable if is_kernel(variable))
    if not decayed:
        raise ValueError(f"`model` must have a kernel that is trained. Received: {_listed(trainable)}.")
    updating.exclude_from_weight_decay([variable for variable in model.variables if not is_kernel(variable)])
    if getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)  # the compiled step has in it what decayed before
    return WeightDecayGroups(
        weight_decay=float(updating.weight_decay),
        decayed=decayed,
        spared=tuple(variable.path for variable in trainable if not is_kernel(variable)),
    )


def _check_own(optimizer: keras.Optimizer, trainable: Iterable[keras.Variable]) -> None:
    if not optimizer.built:
        return
    known = {id(variable) for variable in optimizer._trainable_variables}
    foreign = [variable for variable in trainable if id(variable) not in known]
    if foreign:
        raise ValueError(
            "`optimizer` must be new, or the one of this model. "
            f"Received: one that was built without {_listed(foreign)}; pass `model.optimizer`, or make a new one."
        )


def _listed(variables: Iterable[keras.Variable]) -> str:
    return ", ".join(variable.path for variable in variables) or "no weights"
