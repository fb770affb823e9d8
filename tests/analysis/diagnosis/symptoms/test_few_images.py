"""A validation set of few images leaves falls, jumps and the gap to chance."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, jumping, planted
from unetdyn.analysis.diagnosis.finding import TROUBLE
from unetdyn.analysis.diagnosis.symptoms import _few_images, gap, swings

FEW = _few_images.FEW
CURVES = {
    "metric.falls": {"val_jaccard": np.where(np.arange(EPOCHS) % 3 == 2, 0.02, 0.8)},
    "metric.jumps": {"val_jaccard": jumping(0.4)},
    "metric.gap": {"jaccard": np.full(EPOCHS, 0.9), "val_jaccard": np.full(EPOCHS, 0.1)},
}


def found(code, images):
    records = {} if images is None else {"batch": batches(val_images=images)}
    evidence = planted(records, **CURVES[code])
    return next(one for rule in (swings, gap) for one in rule.find(evidence) if one.code == code)


@pytest.mark.parametrize("code", CURVES)
@pytest.mark.parametrize(
    ("images", "trouble"), [(3, False), (FEW - 1, False), (FEW, True), (None, True), (np.nan, True)]
)
def test_few_images_make_an_observation_of_it(code, images, trouble):
    one = found(code, images)
    assert one.level == ("ill" if trouble else "info")
    assert ("validation images that may be chance" in one.seen) == (not trouble)


@pytest.mark.parametrize("images", [3, 64])
def test_what_is_well_stays_so(images):
    evidence = planted({"batch": batches(val_images=images)}, jaccard=np.full(EPOCHS, 0.8))
    levels = [one.level for rule in (swings, gap) for one in rule.find(evidence)]
    assert levels
    assert not set(levels) & {*TROUBLE, "info"}


def test_epochs_of_fewer_images_are_an_accident():
    images = np.where(np.arange(EPOCHS) < EPOCHS // 3, 1.0, 64.0)
    assert found("metric.gap", images).level == "ill"
