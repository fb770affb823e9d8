"""How far validation lies behind training."""

import numpy as np
import pytest

from planted_runs import EPOCHS, descent, healthy, logged, planted
from unetdyn.analysis.diagnosis.change import LAST
from unetdyn.analysis.diagnosis.symptoms import gap

TRAINED = np.linspace(0.1, 0.8, EPOCHS)


def found(validated, trained=TRAINED):
    return list(gap.find(planted(jaccard=trained, val_jaccard=validated)))


def test_validation_that_follows_is_well():
    (one,) = found(TRAINED - 0.02)
    assert (one.code, one.level, one.curves) == ("metric.gap", "good", ("jaccard", "val_jaccard"))


@pytest.mark.parametrize(("part", "levels"), [(gap.FAR, ("good", "watch")), (gap.VERY_FAR, ("watch", "ill"))])
def test_gap_at_the_end_is_graded_where_the_rule_says(part, levels):
    for by, level in zip((-1e-6, 1e-6), levels, strict=True):
        one, *_ = found(TRAINED * (1 - part - by))
        assert one.level == level
        assert one.epochs == ((0, EPOCHS - 1),)


def test_slight_gap_is_told_beside_only_for_causes_that_are_certain():
    for by, codes in ((-1e-6, ["metric.gap"]), (1e-6, ["metric.gap", "validation.behind"])):
        findings = found(TRAINED * (1 - gap.SOME - by))
        assert [one.code for one in findings] == codes
        assert [one.level for one in findings] == ["good", "info"][: len(codes)]
    assert gap.SLIGHT.slight


def test_some_epochs_far_behind_are_a_slight_gap_too():
    few = TRAINED * 0.9
    for count, codes in ((gap.SOON, ["metric.gap", "validation.behind"]), (gap.SOON - 1, ["metric.gap"])):
        validated = few.copy()
        validated[20 : 20 + count] = 0.01
        findings = found(validated)
        assert [one.code for one in findings] == codes
        assert findings[0].level == "good"
    assert findings[0].why.startswith("its validation Jaccard ends at")


def behind(count, factor=gap.BEHIND - 1e-6):
    validated = TRAINED * 0.9
    validated[20 : 20 + count] = TRAINED[20 : 20 + count] * factor
    return validated


def test_epochs_far_behind_are_counted_where_the_training_is_known():
    known = int((TRAINED > gap.KNOWN).sum())
    least = max(gap.SOON, int(np.ceil(gap.OFTEN * known)))
    (ill,), (good, _) = found(behind(least)), found(behind(least - 1))
    assert (ill.level, good.level) == ("ill", "good")
    assert f"in {least} of {known} epochs" in ill.seen
    assert ill.epochs == ((20, 20 + least - 1),)
    (one,) = found(behind(least, gap.BEHIND + 1e-6))
    assert one.level == "good"


def test_three_bad_epochs_of_a_short_training_are_needed():
    trained = np.linspace(0.3, 0.8, 6)
    validated = trained * 0.9
    validated[2:4] = 0.01
    (one,) = gap.find(logged(jaccard=trained, val_jaccard=validated))
    assert one.level == "good"


@pytest.mark.parametrize(
    ("trained", "epochs"), [(np.linspace(0.01, gap.KNOWN, 40), 40), (np.full(gap.SOON - 1, 0.8), gap.SOON - 1)]
)
def test_little_training_has_no_gap(trained, epochs):
    (one,) = gap.find(logged(jaccard=trained, val_jaccard=np.zeros(epochs)))
    assert (one.level, one.why) == ("unknown", "")


def test_end_is_the_median_of_the_last_epochs():
    validated = TRAINED * 0.9
    validated[-1] = 0.0
    assert LAST == 3
    (one,) = found(validated)
    assert one.level == "good"


def test_validation_in_every_third_epoch_is_compared_with_the_training_of_these():
    """The training jumps in the epochs without validation; were the values compared by place, it would be behind."""
    trained = np.where(np.arange(30) % 3 == 2, 0.5, 0.9)
    validated = {"epoch": np.arange(30), "jaccard": trained, "val_jaccard": np.full(10, 0.45)}
    (one,) = gap.find(logged(**validated))
    assert one.level == "good"
    assert one.seen == "training 0.5, validation 0.45 at the end"


@pytest.mark.parametrize(
    "evidence",
    [
        planted(),
        logged(loss=[1.0, 0.5]),
        logged(jaccard=healthy()["val_jaccard"]),
        logged(loss=descent(6, 40)["loss"], mae=descent(6, 40)["loss"], val_mae=np.ones(40), metric="mae"),
    ],
    ids=["no training metric", "no metric", "no validation", "an error"],
)
def test_nothing_to_compare(evidence):
    assert list(gap.find(evidence)) == []
