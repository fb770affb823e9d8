"""What others measured: what `recommend` quotes where a user has no runs of their own."""

from typing import NamedTuple


class Record(NamedTuple):
    """A statement and where it is from.

    Attributes:
        topics: the priorities it bears on.
        statement: what was found.
        origin: who found it, on what.
    """

    topics: tuple[str, ...]
    statement: str
    origin: str


_STUDIES = "the studies this project grew from"
_HERE = "this project's README, 'On real electron microscopy': one run each, seed 0, two CPU cores"
_TUTORIALS = "the tutorial models, variant='bnsreenu', 64 filters, one channel, counted by this project's tests"

ON_RECORD = (
    Record(
        ("stability", "balanced"),
        "a learning rate of 1e-3 in place of 1e-2: the variance of an update is 100 times lower",
        _STUDIES,
    ),
    Record(("stability", "balanced"), "a batch of 16 in place of 8: 2 times lower; both together, 200 times", _STUDIES),
    Record(
        ("performance", "stability", "balanced"),
        "the Jaccard index counted on thresholded predictions, in place of the soft one",
        _STUDIES,
    ),
    Record(("memory",), "UNet has 31.4 million parameters", _TUTORIALS),
    Record(("memory",), "Attention U-Net has 37.3 million parameters", _TUTORIALS),
    Record(("memory",), "Attention ResUNet has 39.1 million parameters", _TUTORIALS),
    Record(
        ("performance", "balanced"),
        "vnc_unet.yaml (30 epochs): validation Jaccard 0.800 (epoch 26), test Jaccard 0.769",
        _HERE,
    ),
    Record(
        ("performance", "balanced"),
        "vnc_attention_unet.yaml (30 epochs): validation Jaccard 0.759 (epoch 30), test Jaccard 0.746",
        _HERE,
    ),
    Record(
        ("performance", "balanced"),
        "vnc_attention_resunet.yaml (25 epochs): validation Jaccard 0.773 (epoch 23), test Jaccard 0.763",
        _HERE,
    ),
    Record(
        ("stability", "balanced"),
        "σ of the validation loss: 0.0027 (vnc_unet.yaml), 0.0041 (vnc_attention_unet.yaml), "
        "0.0019 (vnc_attention_resunet.yaml); all Excellent",
        _HERE,
    ),
    Record(
        ("speed",),
        "6 min 20 s (vnc_unet.yaml), 4 min 51 s (vnc_attention_unet.yaml), 5 min 32 s (vnc_attention_resunet.yaml); "
        "the machine was unequally busy, so that these times don't compare the models",
        _HERE,
    ),
)
