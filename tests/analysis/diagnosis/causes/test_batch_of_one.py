"""Batches of one image with batch normalisation."""

import pytest

from planted_runs import planted, set_up
from unetdyn.analysis.diagnosis.causes import batch_of_one

GROUP = [{"layer": "norm1", "kind": "GroupNormalization", "momentum": None, "trainable": True}]


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (set_up(batch_size=1), [("batch.one", "ill", "high")]),
        (set_up(batch_size=2), []),
        (set_up(batch_size=None), []),
        (set_up(batch_size=1, norms=[]), []),
        (set_up(batch_size=1, norms=GROUP), []),
        ({}, []),
    ],
)
def test_one_image_and_batch_normalisation_make_it(setup, expected):
    assert [(one.code, one.level, one.confidence) for one in batch_of_one.find(planted(setup=setup))] == expected
