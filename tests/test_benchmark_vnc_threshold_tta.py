"""What `benchmarks/vnc_threshold_tta.py` makes of probabilities: validation chooses, the test is scored."""

import numpy as np
import pytest

from scripts_by_path import benchmarks_importable


@pytest.fixture(scope="module")
def script():
    with benchmarks_importable():
        import vnc_threshold_tta
    return vnc_threshold_tta


def invented(sections, shift, seed):
    """Masks, and probabilities that are as much too low."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((sections, 16, 16, 1)) < 0.3).astype(np.uint8)
    noisy = 0.5 + 0.25 * (2.0 * masks[..., 0] - 1) + rng.normal(0, 0.15, masks.shape[:3]) - shift
    return masks, noisy.clip(0, 1).astype("float32")


def jaccard(p, masks, threshold):
    found, true = p > threshold, masks[..., 0] == 1
    return (found & true).sum() / (found | true).sum()


def test_rows_choose_the_threshold_on_validation_and_score_on_test(script):
    (of_validation, plain), (of_test, plain_test) = invented(2, 0.2, 0), invented(4, 0.2, 1)
    averaged, averaged_test = invented(2, 0.1, 2)[1], invented(4, 0.1, 3)[1]
    made = script.rows({None: plain, "all": averaged}, of_validation, {None: plain_test, "all": averaged_test}, of_test)
    assert [(row.tta, row.chosen) for row in made] == [(None, False), (None, True), ("all", False), ("all", True)]
    grid = np.arange(101) / 100
    best = max(grid, key=lambda threshold: (jaccard(plain, of_validation, threshold), -abs(threshold - 0.5)))
    assert made[1].threshold == best < 0.5
    assert made[1].validation == pytest.approx(jaccard(plain, of_validation, best))
    assert made[1].jaccard.value == pytest.approx(jaccard(plain_test, of_test, best))
    assert made[1].gain.value == pytest.approx(jaccard(plain_test, of_test, best) - jaccard(plain_test, of_test, 0.5))
    assert made[0].gain.value == 0
    assert made[2].jaccard.value == pytest.approx(jaccard(averaged_test, of_test, 0.5))
    assert made[2].jaccard.low < made[2].jaccard.value < made[2].jaccard.high
    singly = [jaccard(averaged_test[i], of_test[i], made[3].threshold) for i in range(4)]
    assert made[3].sections == pytest.approx(singly)
    lines = script.table(made).splitlines()
    assert len(lines) == 2 + 4
    assert f"| none | {best:.2f}, chosen on validation | {made[1].validation:.3f} |" in lines[3]
