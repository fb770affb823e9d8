"""An evaluation as `unetdyn evaluate` leaves one, without a model."""

from functools import cache

import numpy as np

from unetdyn.evaluation import RunEvaluation, evaluate_sections
from unetdyn.evaluation.section_pictures import WorstSections


@cache
def planted_evaluation(sections=4, of="test", names=None, chosen=True, **options):
    """Circles, and probabilities that lie a pixel beside them."""
    radii = np.linspace(2, 5, sections)[:, None, None]
    masks = (np.hypot(*np.mgrid[-8:8, -8:8]) < radii).astype(np.uint8)
    p = np.where(np.roll(masks, 1, axis=1), 0.8, 0.1)
    names = names or [f"s{place}" for place in range(sections)]
    known = {"resamples": 100, "batch_size": 2, "names": names, **options}
    found = evaluate_sections(p, masks, threshold=0.3, **known)
    validation = evaluate_sections(p[:2], masks[:2], resamples=100) if chosen else None
    worst = WorstSections()
    for name, scores, mask, each in zip(names, found.sections, masks, p, strict=True):
        worst.add(name, scores.pixels.jaccard, 255 * each[..., None], mask, each)
    settings = {"model": "runs/x", "tile": (16, 16), "tta": None, "normalise": "per_image"}
    origin = "validation" if chosen else "default"
    return RunEvaluation(of, found, validation, origin, "2026-01-31T12:00:00+00:00", settings, worst.pictures())
