"""From the configuration to a compiled Keras model."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from unetdyn import losses, metrics, models
from unetdyn.experiment.config import Config
from unetdyn.experiment.data_config import FolderData
from unetdyn.experiment.learning_rate import learning_rate
from unetdyn.experiment.optimizer_config import KERAS_ARGUMENTS
from unetdyn.optimizers import weight_decay_groups


def build_model(config: Config, channels: int, steps_per_epoch: int) -> keras.Model:
    """The compiled model of an experiment.

    Args:
        config: The experiment.
        channels: Image channels.
        steps_per_epoch: Batches per epoch, in which schedules are counted.

    Its forward pass is PyTorch's to compile where the experiment says so; `check_compile_forward` says whether it can.
    """
    model = _network(config, channels)
    if config.fit.compile_forward:
        model = models.compile_forward(model)
    compile_model(model, config, steps_per_epoch)
    return model


def compile_model(model: keras.Model, config: Config, steps_per_epoch: int) -> None:
    """Compile as the experiment says, with an optimizer that is new; arguments as of `build_model`."""
    model.compile(
        optimizer=build_optimizer(config, steps_per_epoch),
        loss=build_loss(config),
        weighted_metrics=build_metrics(config),
        jit_compile=config.fit.jit_compile,
        steps_per_execution=config.fit.steps_per_execution,
        auto_scale_loss=config.optimizer.loss_scale_factor is None,  # Keras would drop a fixed one
    )
    if config.optimizer.weight_decay_groups:
        weight_decay_groups(model.optimizer, model)


def _network(config: Config, channels: int) -> keras.Model:
    arguments = config.model.model_dump(exclude={"architecture"})
    for argument in ("gate",) if config.model.architecture == "UNet" else ("blocks", "skips"):
        arguments.pop(argument)
    tile = config.data.tile
    shape = (*tile, channels) if isinstance(tile, tuple) else (tile, tile, channels)
    with precision_of(config):
        return getattr(models, config.model.architecture)(shape, **arguments, seed=config.seed)


@contextlib.contextmanager
def precision_of(config: Config) -> Iterator[None]:
    """Within it, Keras makes and loads layers in the experiment's precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.fit.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_optimizer(config: Config, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Keras' own optimizer, with its learning rate or the schedule of it; in a `LossScaleOptimizer` where asked for."""
    settings = config.optimizer.for_batch(config.fit.batch_size)
    options = settings.model_dump(include=set(KERAS_ARGUMENTS), exclude_none=True)
    options["learning_rate"] = learning_rate(settings, config.fit.epochs, steps_per_epoch)
    options["name"] = settings.kind  # Keras would number it, and Orbax tells variables by names
    optimizer = keras.optimizers.get({"class_name": settings.kind, "config": options})
    if settings.dynamic_loss_scale is None:
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, **settings.dynamic_loss_scale.model_dump())


REGION_LOSSES: dict[str, Any] = {
    "soft_jaccard": losses.SoftJaccardLoss,
    "dice": losses.DiceLoss,
    "tversky": losses.TverskyLoss,
    "focal_tversky": losses.FocalTverskyLoss,
    "lovasz": losses.LovaszSoftmaxLoss,
    "bce_dice": losses.BCEDiceLoss,
}


def build_loss(config: Config) -> keras.losses.Loss:
    """The loss, told whether the model gives logits or probabilities; the mean over the pixels that have a label."""
    settings, from_logits = config.loss, config.model.output == "logits"
    if settings.kind in REGION_LOSSES:  # which leave out pixels of weight 0 by themselves
        return REGION_LOSSES[settings.kind](**settings.arguments, from_logits=from_logits)
    ignored = isinstance(config.data, FolderData) and config.data.ignore is not None
    common: dict[str, Any] = {
        "from_logits": from_logits,
        "reduction": "mean_with_sample_weight" if ignored else "sum_over_batch_size",
    }
    if settings.kind == "binary_focal":
        return losses.BinaryFocalLoss(**settings.arguments, **common)
    if settings.kind == "binary_crossentropy":
        return keras.losses.BinaryCrossentropy(**common)
    return keras.losses.SparseCategoricalCrossentropy(**common)


COUNTED = {
    "dice": metrics.Dice,
    "precision": metrics.Precision,
    "recall": metrics.Recall,
    "specificity": metrics.Specificity,
}


def build_metrics(config: Config) -> list[keras.metrics.Metric]:
    """The thresholded Jaccard, and beside it what else is asked for."""
    from_logits, classes = config.model.output == "logits", config.model.classes
    rule: dict[str, Any] = {"threshold": config.metrics.threshold}
    if classes > 1:  # a pixel belongs to the largest channel, and every class counts alike
        rule = {"threshold": None, "class_ids": list(range(classes))}
    chosen: list[keras.metrics.Metric] = [metrics.ThresholdedJaccard(**rule, from_logits=from_logits, name="jaccard")]
    if config.metrics.soft_jaccard:
        chosen.append(metrics.SoftJaccard(from_logits=from_logits, name="soft_jaccard"))
    for name in config.metrics.also:
        if name == "accuracy":  # of pixels, not of classes
            chosen.append(metrics.Accuracy(rule["threshold"], from_logits=from_logits))
        else:
            chosen.append(COUNTED[name](**rule, from_logits=from_logits))
    return chosen
