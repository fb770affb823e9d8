"""Batches of one image with batch normalisation: each is normalised by itself, and in inference by the mean of all."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, Need

LIMIT = Limit(
    "batch.one",
    "batch normalisation",
    ill="gets batches of one image, and the training is not well",
    source="Wu and He, Group normalization (2018): the error grows as batches shrink, from 8 images on",
    advice="GroupNormalization, or a larger batch; `gradient_accumulation_steps` leaves the statistics those of one "
    "image.",
    expected="training and inference mode agree, and validation is calmer.",
    normal="where the images are large and alike.",
    explains=("metric.", "loss.rose", "loss.flat", "training.short", "stability"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(setup="batch_size"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the set-up says so."""
    if evidence.setup.get("batch_size") == 1 and evidence.batch_norms:
        text = f"{len(evidence.batch_norms)} layers normalise by batches of one image"
        yield LIMIT.finding("ill", "batch", text, "it normalises by batches of one image", confidence="high")
