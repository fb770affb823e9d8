"""What goes into the network: inputs that are not finite, inputs as they come from a file."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

LARGE = 20.0  # a normalised image stays below: 8-bit images reach 255, 16-bit ones more

NOT_FINITE = Limit(
    "inputs.nonfinite",
    "an image or a mask",
    ill="has a value that is no number",
    source="arithmetic: one NaN makes the loss and every weight NaN",
    advice="look for NaN in the images and masks, and for divisions by 0 where they are normalised.",
    expected="loss and weights stay finite.",
    refuted="a NaN marks pixels that the loss leaves out.",
    explains=("loss.", "metric.", "run.failed"),
    alone=True,
)
UNSCALED = Limit(
    "inputs.unscaled",
    "the inputs",
    ill=f"reach beyond ±{LARGE:g}, and the training is not well",
    source=f"{RULE_OF_THUMB}: He initialisation assumes inputs of variance 1",
    advice="scale the images to 0 to 1, or to mean 0 and standard deviation 1, the same way in all sets.",
    expected="the first loss is near that of a constant answer, and the training loss falls from the first epoch on.",
    normal="where the first layer is a norm.",
    explains=("loss.", "metric.", "stability"),
)
LIMITS = (NOT_FINITE, UNSCALED)
NEEDS = (Need(("input_min", "input_max", "input_nonfinite"), "BatchMonitor"),)

_SETS = {"": "training", "val_": "validation"}


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on each set that has such values."""
    for prefix, words in _SETS.items():
        found = evidence.recorded(*(f"{prefix}{key}" for key in ("input_min", "input_max", "input_nonfinite")), "epoch")
        if found is None:
            continue
        low, high, broken, when = found
        targets = evidence.recorded(f"{prefix}target_nonfinite")
        loss = evidence.values(f"{prefix}loss")
        if len(loss) and np.isfinite(loss).all():  # a loss of the user's own leaves out what is unknown
            targets = None
        share = np.maximum(
            *(np.nan_to_num(part, posinf=0.0) for part in (broken, broken if targets is None else targets[0]))
        )
        if (share > 0).any():
            text = f"{share.max():.2g} of the values of the {words} images or masks are no numbers"
            why = f"its {words} data hold values that are no numbers"
            yield NOT_FINITE.finding(
                "ill", "inputs", text, why, confidence="high", epochs=spans(when[share > 0].tolist())
            )
        least, most = (array[np.isfinite(array)] for array in (low, high))
        extreme = float(np.abs(np.r_[least, most]).max(initial=0.0))
        if len(least) and len(most) and extreme > LARGE:
            text = f"the {words} images range from {number(float(least.min()))} to {number(float(most.max()))}"
            why = f"its {words} images are not scaled (up to {number(extreme)})"
            yield UNSCALED.finding("ill", "inputs", text, why, confidence="high")
            return
