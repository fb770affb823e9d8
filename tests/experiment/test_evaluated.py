"""What is scored, and what of it is refused."""

import numpy as np
import pytest

from unetdyn.data import Stack
from unetdyn.experiment.evaluated import Scoring
from unetdyn.experiment.evaluated_data import Part


def test_object_of_a_model_of_several_classes_must_be_named():
    assert Scoring().channel(1) == 1
    assert Scoring(label=2).channel(3) == 2
    with pytest.raises(ValueError, match=r"`label` \(--class\) must be a class from 0 to 2, .* Received: label=None\."):
        Scoring().channel(3)
    with pytest.raises(ValueError, match=r"`label` \(--class\) must be a class from 0 to 2, .* Received: label=3\."):
        Scoring(label=3).channel(3)
    with pytest.raises(ValueError, match=r"`label` \(--class\) must be 1, or be left out, .* Received: label=0\."):
        Scoring(label=0).channel(1)


def test_threshold_outside_of_0_to_1_is_refused():
    with pytest.raises(ValueError, match=r"`threshold` must lie between 0 and 1\. Received: threshold=2"):
        Scoring(threshold=2)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"spacing": 0.0}, r"`spacing` must be a finite number above 0"),
        ({"spacing": np.nan}, r"`spacing` must be a finite number above 0"),
        ({"tolerance": -1}, r"`tolerance` must be a finite number, 0 or above"),
    ],
)
def test_distances_that_are_none_are_refused_before_anything_is_predicted(given, text):
    with pytest.raises(ValueError, match=text):
        Scoring(**given)


def part(**kwargs):
    images = np.zeros((2, 2, 2, 1), np.uint8)
    masks = np.array([[[0, 1], [2, 1]], [[1, 0], [0, 2]]], np.uint8)[..., None]
    return Part("test", Stack(images, masks, ("a", "b"), **kwargs))


def test_masks_are_of_one_class_and_say_what_does_not_count():
    assert [mask.tolist() for mask in part().masks(2)] == [[[0, 0], [1, 0]], [[0, 0], [0, 1]]]
    weights = np.ones((2, 2, 2, 1), np.uint8)
    weights[0, 1] = 0
    assert next(part(weights=weights).masks(1)).tolist() == [[0, 1], [255, 255]]


def test_distances_are_in_the_unit_of_the_files_however_small_the_images_were_made():
    assert Scoring().distances(part(voxel_size=(50.0, 8.0, 8.0)), 2) == {
        "spacing": (8.0, 8.0), "unit": "nm", "tolerance": None
    }  # fmt: skip
    assert Scoring(spacing=4.0, unit="um", tolerance=1.0).distances(part(), 2) == {
        "spacing": 8.0, "unit": "um", "tolerance": 1.0
    }  # fmt: skip
    assert Scoring(tolerance=1.0).distances(part(), 2) == {"tolerance": 1.0}
