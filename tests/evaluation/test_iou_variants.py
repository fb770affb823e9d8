"""Six IoUs, each against scikit-learn or the sums written out."""

import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from unetdyn.evaluation import six_ious

RNG = np.random.default_rng(0)
Y = RNG.random((7, 9, 8)) < np.linspace(0.05, 0.6, 7)[:, None, None]
P = np.clip(np.where(Y, 0.7, 0.3) + RNG.normal(0, 0.25, Y.shape), 0, 1).astype("float32")


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_each_is_what_its_meaning_says(threshold):
    found = six_ious(P, Y, threshold, batch_size=3, resamples=100)
    m, p, y = threshold < P, P.astype(float), Y
    assert found.object.value == pytest.approx(jaccard_score(y.ravel(), m.ravel()))
    assert found.background.value == pytest.approx(jaccard_score(~y.ravel(), ~m.ravel()))
    assert found.two_class_mean.value == pytest.approx(jaccard_score(y.ravel(), m.ravel(), average="macro"))
    assert found.soft.value == pytest.approx((p * y).sum() / (p + y - p * y).sum())
    batches = [jaccard_score(y[i : i + 3].ravel(), m[i : i + 3].ravel()) for i in (0, 3, 6)]
    assert found.batch_mean.value == pytest.approx(np.mean(batches))
    assert (found.batch_mean.n, found.object.n) == (3, 7)
    images = [jaccard_score(a.ravel(), b.ravel()) for a, b in zip(y, m, strict=True)]
    assert found.image_mean.value == pytest.approx(np.mean(images))
    assert (found.threshold, found.batch_size) == (threshold, 3)
    for _, estimate, meaning in found.table():
        assert estimate.low <= estimate.value <= estimate.high
        assert meaning


def test_one_batch_of_all_is_the_object_and_batches_of_one_are_the_images():
    alone, together = (six_ious(P, Y, batch_size=size, resamples=100) for size in (1, 7))
    assert alone.batch_mean.value == alone.image_mean.value
    assert together.batch_mean.value == together.object.value


def test_confidence_alone_changes_the_soft_one_alone():
    sharp = six_ious(np.where(P > 0.5, 1.0, 0.0), Y, batch_size=2, resamples=100)
    found = six_ious(P, Y, batch_size=2, resamples=100)
    same = [name for name, estimate, _ in found.table() if estimate.value == getattr(sharp, name).value]
    assert same == ["object", "background", "two_class_mean", "batch_mean", "image_mean"]
    assert sharp.soft.value == sharp.object.value


def test_empty_sections_predicted_empty_score_one():
    nothing = np.zeros((3, 4, 4))
    found = six_ious(nothing, nothing, batch_size=2, resamples=100)
    assert {estimate.value for _, estimate, _ in found.table()} == {1.0}


def test_without_a_batch_size_the_mean_over_batches_is_not_determined():
    found = six_ious(P, Y, resamples=100)
    assert math.isnan(found.batch_mean.value)
    assert found.batch_mean.reason == "no batch size given"
    assert "batch mean      undetermined: no batch size given" in str(found)


def test_pairs_and_pixels_without_a_label():
    mask = np.where(P > 0.8, 255, Y).astype("uint8")
    mask[2] = 255
    found = six_ious(((p[..., None], m) for p, m in zip(P, mask, strict=True)), ignore_label=255, resamples=100)
    kept = (mask != 255).ravel()
    assert found.object.value == pytest.approx(jaccard_score(Y.ravel()[kept], P.ravel()[kept] > 0.5))
    p, y = P.ravel()[kept].astype(float), Y.ravel()[kept]
    assert found.soft.value == pytest.approx((p * y).sum() / (p + y - p * y).sum())
    assert found.image_mean.n == 6  # nothing counts in the third


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((P, Y, 1.5), {}, r"`threshold` must lie between 0 and 1\. Received: threshold=1\.5"),
        ((P, Y), {"batch_size": 0}, r"`batch_size` must be a whole number of sections, 1 or more, or None"),
        ((P, Y[:3]), {}, r"must have as many sections\. Received: one ended before the other"),
        (
            (P,),
            {},
            r"`masks` are missing: give \(probabilities, masks\)\. Received: probabilities of shape \(7, 9, 8\)",
        ),
        ((P[0], Y[0]), {}, r"`probabilities` must give sections.*Received: shape \(9, 8\)\. Of a single section, pass"),
        (([P[0], P[1]],), {}, r"must give \(probabilities, mask\) pairs, one a section\. Received: .*ndarray"),
        ((P, Y * 255), {}, r"Section 0, counted from 0: `masks` must hold 0 and 1 only\. Received: 255"),
        ((P, np.full(Y.shape, 9)), {"ignore_label": 9}, r"at least one section with a pixel that counts"),
    ],
)
def test_what_can_not_be_scored_is_refused(arguments, options, text):
    with pytest.raises(ValueError, match=text):
        six_ious(*arguments, **options)


def test_what_an_iterator_raises_comes_through():
    def broken():
        yield P[0]
        raise ValueError("the disk is gone")

    with pytest.raises(ValueError, match=r"^the disk is gone$"):
        six_ious(broken(), Y)
