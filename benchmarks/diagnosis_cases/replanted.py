"""The known kinds of faults once more, each made in another way, by somebody who had not read the rules.

What `unseen.py` is for new kinds, this is for those of `faults.py`: do the rules know a fault, or only how it was made
there? Whoever changes a rule leaves these unread too. Two severities each.
"""

from functools import partial

import numpy as np

from . import own_parts as parts
from .datasets import Arrays
from .faults import NO_NORM, add, chosen_tiles, each, on_part
from .healthy import HEALTHY
from .own_parts import altered, line, losses, optimizers, own_loss, rates
from .setups import Change
from .unseen import FAULTS

__all__ = ["FAULTS", "REPLANTED"]

_KNOWN = frozenset(FAULTS)


def _times(factor: float) -> Change:
    """Grey values of more bits, in every set."""

    def task(arrays: Arrays, _: np.random.Generator) -> None:
        for images in (arrays.x, arrays.val_x, arrays.test_x):
            images *= factor

    return task


def _log_of_zero(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """Dead pixels are 0, of which somebody took the logarithm."""
    arrays.x[chosen_tiles(len(arrays.x), share, rng), :2, :2] = -np.inf


def _void(arrays: Arrays, _part: str, value: float, _: np.random.Generator) -> None:
    """Outlines have a number of their own, "not to be counted", and are counted."""
    from scipy.ndimage import grey_dilation, grey_erosion

    for masks in (arrays.y, arrays.val_y):
        outline = grey_dilation(masks, (1, 3, 3, 1)) > grey_erosion(masks, (1, 3, 3, 1))
        masks[outline] = value


def _off_by_one(arrays: Arrays, _part: str, share: float, _: np.random.Generator) -> None:
    """A mask was missing: from there on each image has the mask of the one before."""
    start = round(len(arrays.y) * (1 - share))
    arrays.y[start:] = np.roll(arrays.y[start:], 1, axis=0)


def _not_maximum(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """`mask != mask.max()`: turned round, but for masks that are empty."""
    for index in chosen_tiles(len(arrays.y), share, rng):
        arrays.y[index] = arrays.y[index] != arrays.y[index].max()


def _unfinished(arrays: Arrays, _part: str, share: float, _: np.random.Generator) -> None:
    """Drawn from above, and left at some height."""
    arrays.val_y[:, round(arrays.val_y.shape[1] * (1 - share)) :] = 0


def _sparse(arrays: Arrays, _part: str, share: float, _: np.random.Generator) -> None:
    """Only the tiles with the least foreground, again and again."""
    order = np.argsort(arrays.y.mean(axis=(1, 2, 3)), kind="stable")
    kept = np.resize(order[: round(share * len(order))], len(order))
    arrays.x, arrays.y = arrays.x[kept], arrays.y[kept]


def _as_read(arrays: Arrays, _part: str, scale: tuple[float, float], _: np.random.Generator) -> None:
    """Validation images that nobody standardised."""
    arrays.val_x = (arrays.val_x * scale[0] + scale[1]).astype(np.float32)


def _guessed(arrays: Arrays, _part: str, discs: int, rng: np.random.Generator) -> None:
    """Discs anywhere in each tile that are on the wrong side."""
    rows, columns = np.indices(arrays.y.shape[1:3])
    for masks in (arrays.y, arrays.val_y):
        for mask in masks:
            for _ in range(discs):
                (row, column), radius = rng.integers(0, len(rows), 2), rng.uniform(6, 14)
                disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
                mask[disc] = 1 - mask[disc]


def _ordered(arrays: Arrays, _part: str, share: float, _: np.random.Generator) -> None:
    """The last of them in order of their foreground."""
    start = round(len(arrays.y) * (1 - share))
    order = start + np.argsort(arrays.y[start:].mean(axis=(1, 2, 3)))
    arrays.x[start:], arrays.y[start:] = arrays.x[order], arrays.y[order]


def _turned(arrays: Arrays, _part: str, tiles: int, rng: np.random.Generator) -> None:
    """Many tiles that are a few, turned, with a little noise."""
    full = np.flatnonzero(arrays.y.mean(axis=(1, 2, 3)) > 0.05)
    chosen = np.resize(rng.permutation(full)[:tiles], len(arrays.x))
    for name in ("x", "y"):
        setattr(
            arrays, name, np.stack([np.rot90(getattr(arrays, name)[one], i // tiles) for i, one in enumerate(chosen)])
        )
    arrays.x = (arrays.x + rng.normal(0, 0.05, arrays.x.shape)).astype(np.float32)


# The rule and its rate.
add("norms_copied", altered(parts.copied_norms, 0.997, 0.9998), "statistics.lag",
    "All norms with momentum 0.9.")  # fmt: skip
add("rmsprop_fast", rates("RMSprop", 0.3, 3.0), "learning_rate.high gradient.exploding outputs.constant",
    "A rate of 1e-3 for RMSprop.")  # fmt: skip
add("warmup_endless", rates("Nadam", line(1e-4, 0.5), line(1e-4, 5.0)),
    "learning_rate.high gradient.exploding outputs.constant", "A warm-up that ends, at a lower rate.")  # fmt: skip
add("rate_of_adam", rates("SGD", 3e-3, 1e-4), "learning_rate.low training.short background",
    "Adam, or a hundred times the rate for SGD, with momentum.")  # fmt: skip
add("rate_below_zero", rates("Adam", line(8e-3, -8e-3), line(8e-3, -0.1)), "gradient.ascent learning_rate.high",
    "A schedule that ends where the training does.")  # fmt: skip
add("clipped_together", optimizers("SGD", *({"learning_rate": 0.2, "momentum": 0.9, "nesterov": True,
                                            "global_clipnorm": norm} for norm in (3e-3, 3e-5))),
    "clipping.tight learning_rate.low training.short", "Clipping at the usual norm, or none.")  # fmt: skip
add("batch_of_one_gathered", [{"norm_momentum": momentum, "batch_size": 1, "accumulation": 16, "epochs": 12}
                              for momentum in (0.1, 0.01)],
    "batch.one statistics.lag training.short", "Batches of 16, and a momentum of 0.9.")  # fmt: skip
add("float16_whole", each("epsilon", 1e-3, 1e-7, policy="float16"),
    "gradient.nonfinite inputs.nonfinite outputs.constant", "Mixed precision, or float32.")  # fmt: skip

# The net and its start.
add("loss_summed", [rate | own_loss(parts.summed_crossentropy) for rate in rates("SGD", 1e-3, 0.1)],
    "gradient.exploding learning_rate.high gradient.nonfinite inputs.nonfinite outputs.constant loss.wrong",
    "The mean over the pixels.", None, NO_NORM, twin="no_norm")  # fmt: skip
add("signal_fading", altered(partial(parts.activated, ""), "faint", "fainter"),
    "gradient.vanishing init.bad learning_rate.low background outputs.constant", "No factor below 1 behind each layer.",
    None, NO_NORM.but(optimizer="sgd", learning_rate=0.05), twin="no_norm")  # fmt: skip
add("norms_closed", altered(parts.closed, "bottleneck", "dec1"),
    "weights.dead init.bad outputs.constant gradient.vanishing background", "Norms that begin at 1 and 0.")  # fmt: skip
add("decoder_frozen", altered(parts.untrainable, ("bottleneck", "gate", "dec"),
                              ("enc2", "bottleneck", "gate", "dec", "head")),
    "weights.frozen", "All layers trainable.")  # fmt: skip
add("detached", altered(lambda block, model: parts.activated(block, "detached", model), "dec2", "dec1"),
    "weights.dead weights.frozen gradient.vanishing", "No stop_gradient.")  # fmt: skip
add("weights_alike", altered(parts.alike, ("enc", "bottleneck"), ""),
    "init.bad weights.dead outputs.constant gradient.vanishing background", "He's initialisation.")  # fmt: skip
add("weights_positive", altered(parts.positive, "enc", ""), "init.bad gradient.exploding outputs.constant weights.dead",
    "He's initialisation.", None, NO_NORM, twin="no_norm")  # fmt: skip
add("slope_of_one", [{**altered(partial(parts.activated, ""), "slope of one")[0], **change}
                     for change in ({}, {"norm": None, "learning_rate": 2e-3})],
    "activation.missing", "A slope of 0.01 below zero.")  # fmt: skip

# The output and the aim.
add("output_other", altered(partial(parts.activated, "head_act"), "capped", "log"),
    "outputs.range outputs.constant loss.wrong activation.missing weights.dead", "A sigmoid at the end.")  # fmt: skip
add("sigmoid_repeated", altered(partial(parts.activated, "head_act"), "twice", "thrice"),
    "loss.wrong outputs.range outputs.constant", "One sigmoid.")  # fmt: skip
add("loss_of_distributions", [*losses("KLDivergence", {}), *losses("CosineSimilarity", {})],
    "loss.wrong outputs.constant gradient.vanishing weights.dead", "A loss for a single channel.")  # fmt: skip
add("loss_undefined", [own_loss(parts.half_crossentropy), own_loss(parts.balanced_crossentropy)],
    "gradient.nonfinite inputs.nonfinite loss.wrong", "A loss that is finite whatever the mask.")  # fmt: skip
add("dice_minimised", [own_loss(parts.crossentropy_and_dice), own_loss(parts.dice)],
    "gradient.ascent loss.wrong loss.impossible background outputs.constant",
    "1 minus the Dice coefficient.")  # fmt: skip
add("focal_of_keras", losses("BinaryFocalCrossentropy", *({"apply_class_balancing": True, "gamma": gamma}
                                                          for gamma in (7.0, 15.0))),
    "loss.focal threshold.flips learning_rate.low background", "γ = 2.")  # fmt: skip
add("alpha_of_the_other_class", losses("BinaryFocalCrossentropy", *({"apply_class_balancing": True, "alpha": alpha}
                                                                    for alpha in (0.1, 0.01))),
    "background outputs.constant loss.focal", "The large weight for the rare class, or a soft Jaccard loss.",
    None, HEALTHY["rare_soft_jaccard"], twin="rare_soft_jaccard")  # fmt: skip

# The labels.
add("void_counted", on_part("both", _void, 2.0, 255.0), "labels.scale loss.impossible loss.wrong",
    "Outlines left out of the loss, or given to one side.")  # fmt: skip
add("pairs_off_by_one", on_part("train", _off_by_one, 0.5, 1.0), "labels.shuffled labels.noise",
    "Images and masks paired by name.")  # fmt: skip
add("not_the_maximum", on_part("train", _not_maximum, 0.5, 1.0), "labels.inverted sets.differ labels.noise",
    "`mask > 0`.")  # fmt: skip
add("validation_unfinished", on_part("validation", _unfinished, 0.5, 0.875), "labels.missing labels.empty sets.differ",
    "Validation masks drawn to the end.", outcome="validation")  # fmt: skip
add("labels_guessed", on_part("both", _guessed, 2, 6), "labels.noise labels.shuffled",
    "Masks that were looked through.")  # fmt: skip

# The sets.
add("inputs_16_bit", [{"task": _times(factor)} for factor in (16.0, 257.0)],
    "inputs.unscaled gradient.exploding learning_rate.high outputs.constant weights.dead inputs.nonfinite",
    "Images standardised.", {"task": None, "scaling": "standardised"}, NO_NORM.but(scaling="raw"),
    twin="no_norm")  # fmt: skip
add("log_of_zero", on_part("train", _log_of_zero, 0.01, 0.5), "inputs.nonfinite gradient.nonfinite",
    "The logarithm of 1 + x.")  # fmt: skip
add("training_sparse", on_part("train", _sparse, 0.5, 0.35), "sets.differ labels.empty background",
    "Training tiles from everywhere.")  # fmt: skip
add("validation_as_read", on_part("validation", _as_read, (0.16, 0.47), (40.0, 120.0)), "sets.differ inputs.unscaled",
    "Both sets standardised.", outcome="validation")  # fmt: skip
add("order_of_foreground", [{**change, "shuffle": False, "batch_size": 8}
                            for change in on_part("train", _ordered, 0.5, 1.0)],
    "order.sorted statistics.lag sets.differ", "The order drawn anew each epoch.")  # fmt: skip
add("tiles_turned", [{**change, "epochs": 40} for change in on_part("train", _turned, 4, 2)], "overfitting",
    "Tiles from more places.")  # fmt: skip

REPLANTED: frozenset[str] = frozenset(FAULTS) - _KNOWN
"""The families of this file: nobody who tunes the rules has seen them."""
