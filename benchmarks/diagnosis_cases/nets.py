"""The small nets, their optimizers and losses, as a `Setup` asks for them."""

from functools import partial

import keras
import numpy as np

from unetdyn.losses import BinaryFocalLoss, SoftJaccardLoss
from unetdyn.metrics import SoftJaccard, ThresholdedJaccard
from unetdyn.models import AttentionResUNet, UNet

from .datasets import TILE
from .setups import Setup

NETS = {"unet": (UNet, 1.0), "attention_res_unet": (AttentionResUNet, 0.5)}
"""Builder, and its filters as a share of the set-up's: a residual block has more of everything."""


def build(setup: Setup, net: str, seed: int) -> keras.Model:
    """The net with its first weights, not compiled."""
    builder, share = NETS[net]
    arguments = {} if setup.variant != "default" else {"depth": setup.depth, "norm": setup.norm}
    if setup.variant == "default":
        arguments |= {"norm_momentum": setup.norm_momentum, "activation": setup.activation}
    model = builder(
        (TILE, TILE, 1),
        filters=int(setup.filters * share) if setup.variant == "default" else 4,
        dropout=setup.dropout,
        variant=setup.variant,
        output="probabilities" if setup.head == "sigmoid" else "logits",
        seed=seed,
        **arguments,
    )
    if setup.head not in ("sigmoid", "linear"):
        output = keras.layers.Activation(setup.head, dtype="float32", name="head_out")(model.output)
        model = keras.Model(model.input, output, name=model.name)
    _start(model, setup)
    return model


def _start(model: keras.Model, setup: Setup) -> None:
    """What the set-up says of the first weights."""
    units = [layer for layer in model.layers if layer.weights]
    shifted = units[: max(1, round(setup.offset_share * len(units)))]
    for layer in units:
        if getattr(layer, "kernel", None) is not None:
            layer.kernel.assign(layer.kernel * setup.kernel_scale)
            if setup.l2:
                layer.kernel.regularizer = keras.regularizers.L2(setup.l2)
        # Before the norm an offset would cancel; the norm's own, or a bias where there is no norm, does not.
        for name in ("beta", "bias"):
            variable = getattr(layer, name, None)
            if variable is not None and setup.offset and layer in shifted and not layer.name.startswith("head"):
                variable.assign(variable + setup.offset)
        if layer.name == "head_conv" and setup.head_bias:
            layer.bias.assign(layer.bias + setup.head_bias)
    if setup.alter is not None:
        setup.alter(model)


def freeze(model: keras.Model, what: str | None) -> None:
    """Freeze the layers whose names begin as `what` says."""
    if what is None:
        return
    frozen = {
        "first": lambda name: name.startswith("enc1"),
        "encoder": lambda name: name.startswith(("enc", "bottleneck")),
        "all_but_head": lambda name: not name.startswith("head"),
    }[what]
    for layer in model.layers:
        if frozen(layer.name):
            layer.trainable = False


def compile_model(model: keras.Model, setup: Setup, steps: int) -> None:
    """Compile as the set-up says."""
    optimizer = _optimizer(setup, steps)
    jit = "auto" if keras.config.backend() == "jax" else False
    model.compile(optimizer, _loss(setup), metrics=_metrics(setup), jit_compile=jit, auto_scale_loss=setup.scale_loss)


class AscentAdam(keras.optimizers.Adam):
    """Adam in which somebody got the sign wrong."""

    def update_step(self, gradient: object, variable: object, learning_rate: object) -> None:
        """Up instead of down."""
        super().update_step(-gradient, variable, learning_rate)


def _optimizer(setup: Setup, steps: int) -> keras.optimizers.Optimizer:
    if setup.make_optimizer is not None:
        return setup.make_optimizer(steps)
    rate = _rate(setup, steps)
    options = {"clipnorm": setup.clipnorm, "clipvalue": setup.clipvalue, "loss_scale_factor": setup.loss_scale}
    options["gradient_accumulation_steps"] = setup.accumulation
    if setup.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=setup.momentum, **options)
    if setup.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=setup.weight_decay or 4e-3, **options)
    kind = AscentAdam if setup.ascent else keras.optimizers.Adam
    return kind(rate, epsilon=setup.epsilon, weight_decay=setup.weight_decay, **options)


def _rate(setup: Setup, steps: int) -> object:
    schedules = keras.optimizers.schedules
    peak = setup.learning_rate
    if setup.schedule == "cosine":
        return schedules.CosineDecay(peak, steps)
    if setup.schedule == "warmup":
        warm = steps // 5
        return schedules.CosineDecay(peak / 100, steps - warm, alpha=0.5, warmup_target=peak, warmup_steps=warm)
    if setup.schedule == "restarts":
        return schedules.CosineDecayRestarts(peak, max(1, steps // 4), t_mul=1.0, m_mul=1.0, alpha=0.01)
    if setup.schedule == "exponential":
        return schedules.ExponentialDecay(peak, decay_steps=1, decay_rate=setup.step_factor)
    return peak


def _loss(setup: Setup) -> keras.losses.Loss:
    if setup.make_loss is not None:
        return setup.make_loss()
    kinds = {
        "bce": lambda: keras.losses.BinaryCrossentropy(from_logits=setup.from_logits),
        "focal": lambda: BinaryFocalLoss(setup.gamma, from_logits=setup.from_logits),
        "weighted": lambda: BinaryFocalLoss(0.0, pos_weight=setup.pos_weight),
        "soft_jaccard": lambda: SoftJaccardLoss(from_logits=setup.from_logits),
        "steep": lambda: SteepLoss(setup.steepness),
        "mse": lambda: keras.losses.MeanSquaredError(),
        "categorical": lambda: keras.losses.CategoricalCrossentropy(from_logits=setup.from_logits),
    }
    loss = kinds[setup.loss]()
    return loss if setup.sign == 1 else SignedLoss(loss, setup.sign)


class SignedLoss(keras.losses.Loss):
    """A loss times a number."""

    def __init__(self, loss: keras.losses.Loss, sign: float) -> None:
        super().__init__(name=loss.name)
        self.loss, self.sign = loss, sign

    def call(self, y_true: object, y_pred: object) -> object:
        """The signed loss."""
        return self.sign * self.loss(y_true, y_pred)


class SteepLoss(keras.losses.Loss):
    """Cross-entropy of outputs that are made masks first: a sigmoid so steep that it is a threshold at one half."""

    def __init__(self, steepness: float) -> None:
        super().__init__(name="binary_crossentropy")
        self.steepness = steepness

    def call(self, y_true: object, y_pred: object) -> object:
        """The loss of the masks."""
        masks = keras.ops.sigmoid(self.steepness * (y_pred - 0.5))
        return keras.losses.binary_crossentropy(y_true, masks)


class ConstantMetric(keras.metrics.Metric):
    """A metric that does not look."""

    def __init__(self, name: str = "jaccard", value: float = 0.25) -> None:
        super().__init__(name=name)
        self.value = self.add_variable((), keras.initializers.Constant(value), name="value")

    def update_state(self, *_: object, **__: object) -> None:
        """Not at all."""

    def reset_state(self) -> None:
        """Nothing to reset."""

    def result(self) -> object:
        """Always the same."""
        return self.value + 0.0


def _metrics(setup: Setup) -> list[keras.metrics.Metric]:
    jaccard = {
        "thresholded": partial(ThresholdedJaccard, threshold=setup.metric_threshold),
        "soft": SoftJaccard,
        "accuracy": keras.metrics.BinaryAccuracy,
        "constant": ConstantMetric,
    }[setup.metric](name="jaccard")
    return [jaccard, SoftJaccard(name="soft_jaccard"), keras.metrics.BinaryAccuracy(name="binary_accuracy")]


def jaccard(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Thresholded Jaccard at 0.5 by NumPy; a NaN is background."""
    truth, answer = y_true > 0.5, y_pred > 0.5
    union = (truth | answer).sum()
    return float((truth & answer).sum() / union) if union else 1.0
