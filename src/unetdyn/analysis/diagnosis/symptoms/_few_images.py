"""A validation set of few images: its metric jumps by chance, and what it shows is an observation, not more."""

from dataclasses import replace

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.robust import finite_median

FEW = 8  # images of the validation set below which the metric is left to chance: rule of thumb


def for_few_images(evidence: Evidence, finding: Finding) -> Finding:
    """The finding, an observation where the validation has few images."""
    counted = evidence.recorded("val_images")
    images = float("nan") if counted is None else finite_median(counted[0])
    if finding.level not in ("watch", "ill") or not images < FEW:
        return finding
    return replace(finding, level="info", seen=f"{finding.seen}; with {images:g} validation images that may be chance")
