"""What can be wrong with a training, from mild to gross, and which causes count as right answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .datasets import Arrays
from .setups import PLAIN, Change, Setup


@dataclass(frozen=True)
class Fault:
    """A family of faults.

    Attributes:
        name: Its name.
        setups: What is trained, from mild to gross: one a severity.
        accepted: Codes of the causes that count as right, the true one first.
        advice: What is to be changed, in words.
        mended: The set-ups after that change.
        twin: The healthy variant it is compared with.
        outcome: What it spoils: `"test"` the net itself; `"validation"` only what is seen of it; `"gap"` the
            validation promises what the test does not hold; `"metric"` the logged metric isn't the Jaccard index.
    """

    name: str
    setups: tuple[Setup, ...]
    accepted: tuple[str, ...]
    advice: str
    mended: tuple[Setup, ...]
    twin: str = "plain"
    outcome: str = "test"


FAULTS: dict[str, Fault] = {}


def add(
    name: str,
    changes: list[dict[str, Any]],
    accepted: str,
    advice: str,
    mended: dict[str, Any] | list[dict[str, Any]] | None = None,
    base: Setup = PLAIN,
    **others: str,
) -> None:
    """Add a family to `FAULTS`; without `mended` the advised change takes back what is wrong."""
    setups = tuple(base.but(**change) for change in changes)
    repairs = mended if isinstance(mended, list) else [mended] * len(setups)
    healed = [base if repair is None else setup.but(**repair) for setup, repair in zip(setups, repairs, strict=True)]
    FAULTS[name] = Fault(name, setups, tuple(accepted.split()), advice, tuple(healed), **others)  # type: ignore


def each(field: str, *values: Any, **fixed: Any) -> list[dict[str, Any]]:
    """Changes of one field, with others at the same value in each."""
    return [{field: value, **fixed} for value in values]


def on_part(part: str, way: Callable[..., None], *amounts: Any) -> list[dict[str, Any]]:
    """Changes to a part of the arrays: `way(arrays, part, amount, rng)`."""

    def change(amount: Any) -> Change:
        return lambda arrays, rng: way(arrays, part, amount, rng)

    return [{"change": change(amount)} for amount in amounts]


def chosen_tiles(count: int, share: float, rng: np.random.Generator) -> NDArray:
    """Indices of a share of so many tiles, one at least, in random order."""
    return rng.permutation(count)[: max(1, round(share * count))]


def _masks(arrays: Arrays, part: str) -> NDArray:
    return arrays.y if part == "train" else arrays.val_y


def _scaled_labels(arrays: Arrays, part: str, factor: float, _: np.random.Generator) -> None:
    masks = _masks(arrays, part)
    masks *= factor
    if part == "train":
        arrays.val_y *= factor


def _softened(arrays: Arrays, _part: str, amount: float, _: np.random.Generator) -> None:
    """Masks resized with interpolation and rescaled wrongly: fractions everywhere at the rim, and none reaches 1."""
    from scipy.ndimage import gaussian_filter

    for masks in (arrays.y, arrays.val_y):
        masks[:] = amount * gaussian_filter(masks, (0, 1.5, 1.5, 0))


def _inverted(arrays: Arrays, part: str, share: float, rng: np.random.Generator) -> None:
    masks = _masks(arrays, part)
    chosen = chosen_tiles(len(masks), share, rng)
    masks[chosen] = 1 - masks[chosen]


def _shuffled(arrays: Arrays, part: str, share: float, rng: np.random.Generator) -> None:
    masks = _masks(arrays, part)
    chosen = chosen_tiles(len(masks), share, rng)
    masks[chosen] = masks[np.roll(chosen, 1)]


def _emptied(arrays: Arrays, part: str, share: float, rng: np.random.Generator) -> None:
    masks = _masks(arrays, part)
    masks[chosen_tiles(len(masks), share, rng)] = 0


def _noisy(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """A share of the pixels is on the wrong side, in patches of four by four as careless annotation makes them."""
    for masks in (arrays.y, arrays.val_y):
        small = rng.random((len(masks), masks.shape[1] // 4, masks.shape[2] // 4, 1)) < share
        wrong = small.repeat(4, axis=1).repeat(4, axis=2)
        masks[:] = np.where(wrong, 1 - masks, masks)


def _unmoved(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """Images are mirrored or turned, their masks stay."""
    for index in chosen_tiles(len(arrays.x), share, rng):
        way = rng.integers(3)
        arrays.x[index] = (np.flip(arrays.x[index], way) if way < 2 else np.rot90(arrays.x[index], 2)).copy()


def _with_nan(arrays: Arrays, _part: str, tiles: int, rng: np.random.Generator) -> None:
    for index in rng.permutation(len(arrays.x))[:tiles]:
        arrays.x[index, rng.integers(64), rng.integers(64)] = np.nan


def _duller(arrays: Arrays, _part: str, contrast: float, _: np.random.Generator) -> None:
    arrays.val_x *= contrast


def _grainy(arrays: Arrays, _part: str, sigma: float, rng: np.random.Generator) -> None:
    arrays.val_x += rng.normal(0, sigma, arrays.val_x.shape).astype(np.float32)


def _brighter(arrays: Arrays, _part: str, offset: float, _: np.random.Generator) -> None:
    arrays.val_x += offset


def _leaked(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    count = round(share * len(arrays.val_x))
    chosen = rng.permutation(len(arrays.x))[:count]
    arrays.val_x[:count], arrays.val_y[:count] = arrays.x[chosen], arrays.y[chosen]


def _few(arrays: Arrays, _part: str, tiles: int, rng: np.random.Generator) -> None:
    """So few different tiles, as often as keeps the steps of an epoch. Those with foreground, or there is no task."""
    count = len(arrays.x)
    full = np.argsort(-arrays.y.mean(axis=(1, 2, 3)))[: count // 2]
    chosen = np.resize(rng.permutation(full)[:tiles], count)
    arrays.x, arrays.y = arrays.x[chosen], arrays.y[chosen]


def _sorted(arrays: Arrays, _part: str, share: float, rng: np.random.Generator) -> None:
    """The fullest tiles first, then a share without any foreground."""
    count = len(arrays.x)
    wanted = round(share * count)
    empty = empty_tiles(arrays, wanted, rng)
    full = np.argsort(-arrays.y.mean(axis=(1, 2, 3)))[: count - wanted]
    arrays.x = np.concatenate([arrays.x[full], empty])
    arrays.y = np.concatenate([arrays.y[full], np.zeros_like(empty)])


def empty_tiles(arrays: Arrays, count: int, rng: np.random.Generator) -> NDArray:
    """Training images without any foreground: empty quarters of tiles, mirrored to whole ones."""
    half = arrays.x.shape[1] // 2
    quarters = [np.s_[:, i : i + half, j : j + half] for i in (0, half) for j in (0, half)]
    images, masks = (np.concatenate([part[place] for place in quarters]) for part in (arrays.x, arrays.y))
    empty = np.flatnonzero(masks.max(axis=(1, 2, 3)) == 0)
    chosen = np.resize(rng.permutation(empty), count)
    return np.pad(images[chosen], ((0, 0), (0, half), (0, half), (0, 0)), "symmetric")


def rare(arrays: Arrays, iterations: int) -> None:
    """A task of rarer foreground in all sets: the inner part of what was foreground."""
    from scipy.ndimage import binary_erosion

    cross = np.zeros((1, 3, 3, 1), bool)
    cross[0, 1, :, 0] = cross[0, :, 1, 0] = True
    for masks in (arrays.y, arrays.val_y, arrays.test_y):
        masks[:] = binary_erosion(masks > 0.5, cross, iterations=iterations)


def rarer(iterations: int) -> Change:
    """`rare` as a set-up takes it."""
    return lambda arrays, _: rare(arrays, iterations)


NO_NORM = PLAIN.but(norm=None, learning_rate=4e-3, epochs=36)

# The rule and its rate.
add("rate_high", each("learning_rate", 0.2, 1.0, 5.0),
    "learning_rate.high gradient.exploding outputs.constant",
    "A learning rate of a tenth, and again until the loss falls.",
    each("learning_rate", 0.02, 0.01, 5e-3))  # fmt: skip
add("rate_high_sgd", each("learning_rate", 2.0, 8.0, 30.0, optimizer="sgd"),
    "learning_rate.high gradient.exploding inputs.nonfinite outputs.constant", "A learning rate of a tenth or less.",
    each("learning_rate", 0.2, 0.2, 0.2))  # fmt: skip
add("rate_low", each("learning_rate", 3e-4, 3e-5, 1e-6), "learning_rate.low training.short background",
    "A learning rate ten times as high, until the loss falls.",
    each("learning_rate", 3e-3, 3e-3, 3e-3))  # fmt: skip
add("statistics_lag", each("norm_momentum", 0.985, 0.995, 0.999), "statistics.lag sets.differ",
    "Batch norm with momentum 0.9, or group norm.", {"norm_momentum": 0.9})  # fmt: skip
add("tutorial_net", [{"variant": "bnsreenu", "epochs": epochs, "learning_rate": rate, "depth": 4}
                     for epochs, rate in ((16, 3e-3), (10, 3e-3), (10, 3e-2))],
    "statistics.lag learning_rate.high", "The default variant, with momentum 0.9.",
    {"variant": "default", "depth": 2, "learning_rate": PLAIN.learning_rate, "epochs": PLAIN.epochs})  # fmt: skip
add("ascent", [{"ascent": True, "learning_rate": rate} for rate in (1e-4, 1e-3, 6e-3)],
    "gradient.ascent learning_rate.high", "The gradient's sign turned round.",
    {"ascent": False, "learning_rate": PLAIN.learning_rate})  # fmt: skip
add("loss_negated", [{"sign": -1.0, "learning_rate": rate} for rate in (1e-4, 1e-3, 6e-3)],
    "gradient.ascent loss.impossible loss.wrong", "The loss without the minus.",
    {"sign": 1.0, "learning_rate": PLAIN.learning_rate})  # fmt: skip
add("clipping_tight", each("clipnorm", 1e-2, 1e-3, 1e-5, optimizer="sgd", learning_rate=0.2),
    "clipping.tight learning_rate.low training.short", "Clipping at the gradient's usual norm, or none.",
    {"clipnorm": 1.0})  # fmt: skip
add(
    "weight_decay_strong",
    each("weight_decay", 3.0, 20.0, 80.0, optimizer="adamw"),
    "regularisation.strong weights.dead outputs.constant",
    "A weight decay of 4e-3.",
    {"weight_decay": 4e-3},
)
add("l2_strong", each("l2", 0.03, 0.3, 3.0), "regularisation.strong weights.dead outputs.constant background",
    "A penalty of 1e-5.", {"l2": 1e-5})  # fmt: skip
add("dropout_strong", each("dropout", 0.6, 0.8, 0.95), "regularisation.strong", "Dropout of 0.1.", {"dropout": 0.1})
add("epochs_few", each("epochs", 10, 6, 3), "training.short learning_rate.low", "Four times as many epochs.",
    {"epochs": PLAIN.epochs})  # fmt: skip

# The net and its start.
add("exploding", [{"kernel_scale": scale, "learning_rate": rate} for scale, rate in ((3, 0.1), (6, 0.5), (20, 1.0))],
    "gradient.exploding init.bad learning_rate.high inputs.nonfinite gradient.nonfinite outputs.constant",
    "He's initialisation, a norm and a lower learning rate.", None,
    PLAIN.but(norm=None, optimizer="sgd", learning_rate=0.1))  # fmt: skip
FAULTS["exploding"] = Fault(**{**vars(FAULTS["exploding"]), "mended": (PLAIN,) * 3})
add("vanishing", [{"depth": 2}, {"depth": 3}, {"depth": 4}],
    "gradient.vanishing activation.saturating learning_rate.low background outputs.constant", "A norm and ReLU.",
    {"norm": "batch", "activation": "relu", "optimizer": "adam", "learning_rate": PLAIN.learning_rate},
    PLAIN.but(norm=None, activation="sigmoid", optimizer="sgd", learning_rate=0.1))  # fmt: skip
add("init_zero", [{"kernel_scale": scale, "norm": norm}
                  for scale, norm in ((1e-2, None), (1e-3, None), (0.0, "batch"))],
    "init.bad weights.dead gradient.vanishing outputs.constant background", "He's initialisation.",
    [{"kernel_scale": 1.0, "norm": "batch", "learning_rate": PLAIN.learning_rate}] * 3, NO_NORM)  # fmt: skip
add("init_huge", each("kernel_scale", 5.0, 15.0, 50.0),
    "init.bad gradient.exploding outputs.constant", "He's initialisation.",
    {"kernel_scale": 1.0}, NO_NORM, twin="no_norm")  # fmt: skip
add("no_activation", [{}, {"norm": None, "learning_rate": 2e-3}, {"norm": None, "depth": 3, "learning_rate": 2e-3}],
    "activation.missing", "ReLU after each norm.",
    {"activation": "relu", "norm": "batch", "learning_rate": PLAIN.learning_rate},
    PLAIN.but(activation="linear"))  # fmt: skip
add("relu_dead", [{"offset": offset, "offset_share": share}
                  for offset, share in ((-2.0, 0.5), (-3.0, 1.0), (-8.0, 1.0))],
    "weights.dead init.bad outputs.constant gradient.vanishing background", "Offsets that begin at 0.",
    {"offset": 0.0})  # fmt: skip
add(
    "output_wrong",
    each("head", "relu", "tanh", "softmax"),
    "outputs.range outputs.constant loss.wrong activation.missing",
    "A sigmoid at the end.",
    {"head": "sigmoid"},
)
add("frozen_by_mistake", each("frozen", "first", "encoder", "all_but_head"), "weights.frozen",
    "All layers trainable.", {"frozen": None})  # fmt: skip
add("batch_of_one", [{"batch_size": 1, "norm_momentum": momentum, "learning_rate": rate}
                     for momentum, rate in ((0.9, 6e-3), (0.5, 1e-2), (0.01, 2e-2))],
    "batch.one statistics.lag learning_rate.high", "Group norm, or batches of eight.",
    {"batch_size": 8, "norm_momentum": 0.9, "learning_rate": PLAIN.learning_rate},
    PLAIN.but(epochs=4))  # fmt: skip
FAULTS["batch_of_one"] = Fault(**{**vars(FAULTS["batch_of_one"]), "mended": (PLAIN,) * 3})

# The numbers.
add("inputs_unscaled", [{"scaling": "raw"}, {"scaling": "raw", "optimizer": "sgd", "learning_rate": 1e-3},
                        {"scaling": "raw", "optimizer": "sgd", "learning_rate": 1e-1}],
    "inputs.unscaled gradient.exploding learning_rate.high outputs.constant weights.dead inputs.nonfinite",
    "Images standardised.", {"scaling": "standardised"}, NO_NORM, twin="no_norm")  # fmt: skip
FAULTS["inputs_unscaled"] = Fault(**{**vars(FAULTS["inputs_unscaled"]), "mended": (NO_NORM,) * 3})
add("inputs_nan", on_part("train", _with_nan, 1, 4, 24), "inputs.nonfinite gradient.nonfinite",
    "The images with NaN left out or mended.")  # fmt: skip
add("float16_overflow", [{"loss_scale": scale} for scale in (2.0**20, 2.0**24, 2.0**30)],
    "gradient.nonfinite inputs.nonfinite", "Loss scaling that adapts, or float32.",
    {"policy": "float32", "loss_scale": None}, PLAIN.but(policy="mixed_float16", scale_loss=False))  # fmt: skip

# The aim.
add("focal_gamma", each("gamma", 5.0, 8.0, 12.0, loss="focal"), "loss.focal threshold.flips learning_rate.low",
    "A focal loss with γ = 2.", {"gamma": 2.0})  # fmt: skip
add("imbalance", each("pos_weight", 1.0, 0.3, 0.1),
    "background outputs.constant", "A soft Jaccard loss, or weights for the rare class instead of against it.",
    {"loss": "soft_jaccard"}, PLAIN.but(task=rarer(3), loss="weighted"), twin="rare_soft_jaccard")  # fmt: skip
add("loss_for_logits", [{"from_logits": True}, {"head": "linear"}, {"loss": "categorical"}],
    "loss.wrong outputs.range background outputs.constant", "The loss that fits the output.")  # fmt: skip
add("metric_wrong", each("metric", "soft", "accuracy", "constant"),
    "metric.suspicious metric.constant metric.impossible",
    "A thresholded Jaccard index.", outcome="metric")  # fmt: skip

# The labels.
add("labels_255", on_part("train", _scaled_labels, 2.0, 128.0, 255.0), "labels.scale loss.impossible",
    "Masks divided by their largest value.")  # fmt: skip
add("labels_soft", on_part("train", _softened, 0.9, 0.7, 0.5), "labels.fractional labels.scale",
    "Masks rounded to 0 and 1, resized by nearest neighbour.")  # fmt: skip
add("labels_inverted", on_part("train", _inverted, 0.3, 0.6, 1.0), "labels.inverted sets.differ labels.noise",
    "The masks of the training set turned round.")  # fmt: skip
add("labels_inverted_validation", on_part("validation", _inverted, 0.3, 0.6, 1.0),
    "labels.inverted sets.differ", "The masks of the validation set turned round.", outcome="validation")  # fmt: skip
add("labels_shuffled", on_part("train", _shuffled, 0.4, 0.7, 1.0),
    "labels.shuffled labels.noise", "Images and masks paired by name.")  # fmt: skip
add("labels_empty", on_part("train", _emptied, 0.5, 0.8, 1.0), "labels.empty labels.missing sets.differ labels.noise",
    "The masks that are missing, or their images left out.")  # fmt: skip
add("labels_empty_validation", on_part("validation", _emptied, 0.5, 0.8, 1.0),
    "labels.empty labels.missing sets.differ", "The masks that are missing in the validation set.",
    outcome="validation")  # fmt: skip
add("labels_noise", on_part("train", _noisy, 0.05, 0.2, 0.4), "labels.noise labels.shuffled",
    "Masks that were looked through.")  # fmt: skip

# The sets.
add("validation_contrast", on_part("validation", _duller, 0.5, 0.25, 1 / 255), "sets.differ",
    "Both sets normalised alike.", outcome="validation")  # fmt: skip
add("validation_noise", on_part("validation", _grainy, 0.5, 1.0, 2.0), "sets.differ",
    "A training set that has such images.", outcome="validation")  # fmt: skip
add("validation_offset", on_part("validation", _brighter, 0.5, 1.5, 4.0), "sets.differ",
    "Both sets normalised alike.", outcome="validation")  # fmt: skip
add(
    "leakage",
    on_part("validation", _leaked, 0.5, 0.8, 1.0),
    "leakage leakage.possible",
    "Sections that lie apart.",
    outcome="gap",
)
add("sorted_order", [{**change, "shuffle": False, "batch_size": batch}
                     for change, batch in zip(on_part("train", _sorted, 0.25, 0.5, 0.6), (8, 16, 16), strict=True)],
    "order.sorted statistics.lag sets.differ", "The order drawn anew each epoch.",
    {"shuffle": True, "batch_size": 8})  # fmt: skip
add("augmentation_wrong", on_part("train", _unmoved, 0.4, 0.7, 1.0), "augmentation.wrong labels.shuffled labels.noise",
    "Masks moved with their images.")  # fmt: skip
add("overfitting", [{**change, "epochs": 40} for change in on_part("train", _few, 8, 4, 2)], "overfitting",
    "More training tiles, or augmentation.")  # fmt: skip

TUNED = frozenset(sorted(FAULTS)[::2])
"""The families that rules may be tuned on: every other one by name. The rest is held out."""
TUNED_NET = "unet"
