"""The whole evaluation against its parts, its record as JSON, and what it keeps in memory."""

import json
import math
import tracemalloc

import numpy as np
import pytest

from unetdyn.analysis import threshold_curve
from unetdyn.evaluation import (
    Evaluation,
    PixelCounts,
    RunEvaluation,
    calibration,
    evaluate_sections,
    object_counts,
    pixel_counts,
    read_run_evaluation,
    six_ious,
    surface_scores,
    write_run_evaluation,
)
from unetdyn.metrics import thresholded_jaccard
from unetdyn.runs.strict_json import dumps, loads

RNG = np.random.default_rng(0)


def blobs(sections=12, size=24):
    """Two rectangles a section, predicted one pixel lower, with noise; the last section has none and predicts none."""
    y = np.zeros((sections, size, size), dtype=bool)
    for i in range(sections - 1):
        y[i, 3 : 8 + i % 3, 2:9] = y[i, 14:20, 12 : 15 + i % 5] = True
    p = np.where(np.roll(y, 1, axis=1), 0.8, 0.1) + RNG.normal(0, 0.03, y.shape)
    return np.clip(p, 0, 1), y


P, Y = blobs()
OPTIONS = {"spacing": (50, 4), "unit": "nm", "tolerance": 50, "objects": True, "batch_size": 4, "resamples": 100}
FOUND = evaluate_sections(P, Y, **OPTIONS)


def record(evaluation):
    return dumps(evaluation.to_dict())


def test_each_section_has_the_scores_of_the_parts():
    assert [section.name for section in FOUND.sections] == [str(i) for i in range(12)]
    for section, p, y in zip(FOUND.sections, P > 0.5, Y, strict=True):
        assert section.counts == pixel_counts(p, y)
        assert section.pixels == section.counts.scores()
        assert section.surfaces == surface_scores(p, y, spacing=(50, 4), tolerance=50)
        assert section.objects == object_counts(p, y, connectivity="full")
        assert section.object_scores == section.objects.scores()


def test_the_whole_is_of_the_sums_and_the_means():
    whole, counts = FOUND.whole, pixel_counts(P > 0.5, Y)
    assert FOUND.counts == counts
    for name in ("jaccard", "dice", "precision", "recall", "specificity", "accuracy"):
        assert whole[name].value == pytest.approx(getattr(counts.scores(), name))
    for name in ("hausdorff", "hd95", "assd", "nsd"):
        assert whole[name].value == pytest.approx(np.mean([getattr(s.surfaces, name) for s in FOUND.sections]))
    objects = FOUND.objects.scores()
    assert FOUND.objects.true == sum(s.objects.true for s in FOUND.sections) == 22
    assert [whole[name].value for name in ("pq", "sq", "rq")] == pytest.approx([objects.pq, objects.sq, objects.rq])
    areas = [whole[name].value for name in ("area_bias", "area_error")]
    assert areas == pytest.approx([objects.area_bias, objects.area_error])
    assert [whole["f1@0.5"].value, whole["f1@0.75"].value] == pytest.approx(objects.f1)
    for estimate in whole.values():
        assert estimate.low <= estimate.value <= estimate.high
        assert (estimate.n, estimate.confidence) == (12, 0.95)


def test_curve_calibration_and_ious_are_those_of_their_functions():
    expected = threshold_curve(Y, P, resamples=100)
    np.testing.assert_array_equal(FOUND.thresholds.jaccard, expected.jaccard)
    assert FOUND.thresholds.best_threshold_interval == expected.best_threshold_interval
    assert str(FOUND.calibration) == str(calibration(P, Y, resamples=100))
    assert FOUND.ious == six_ious(P, Y, batch_size=4, resamples=100)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_probability_at_the_threshold_is_told_apart_as_everywhere(dtype):
    p = np.where(Y, 0.3, 0.1).astype(dtype)
    found = evaluate_sections(p, Y, threshold=0.3, resamples=100)
    assert found.whole["jaccard"].value == found.thresholds.jaccard[30] == thresholded_jaccard(Y, p, threshold=0.3)


def test_sections_may_come_one_at_a_time():
    pairs = ((p[..., None].astype("float64"), y.astype("uint8")) for p, y in zip(P, Y, strict=True))
    assert record(evaluate_sections(pairs, **OPTIONS)) == record(FOUND)
    assert record(evaluate_sections(list(P), iter(Y), **OPTIONS)) == record(FOUND)


def test_memory_does_not_grow_with_the_sections():
    def sections(number):
        for i in range(number):
            y = np.zeros((256, 256), dtype=bool)
            y[40:100, 20 + i : 120] = True
            yield np.where(y, 0.9, 0.2), y

    peaks = []
    for number in (2, 12):
        tracemalloc.start()
        evaluate_sections(sections(number), resamples=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**18  # a section's probabilities alone are 2^19 bytes


def test_worst_sections_come_first():
    jaccards = [section.pixels.jaccard for section in FOUND.worst(12)]
    assert jaccards == sorted(jaccards)
    far = [section.surfaces.assd for section in FOUND.worst(3, by="assd")]
    assert far == sorted((s.surfaces.assd for s in FOUND.sections), reverse=True)[:3]
    with pytest.raises(ValueError, match=r"`by` must be one of .* Did you mean 'jaccard'"):
        FOUND.worst(by="jacard")
    with pytest.raises(ValueError, match=r"`by` can't be 'nsd' here: there is none without a `tolerance`"):
        evaluate_sections(P, Y, resamples=100).worst(by="nsd")


def test_empty_sections_and_missed_objects_are_scored_as_asked():
    p, y = P.copy(), Y
    p[0] = 0
    found = evaluate_sections(p, y, resamples=100)
    assert math.isinf(found.whole["hd95"].value)
    assert found.sections[0].surfaces.state == "missed"
    assert found.worst(1, by="hd95")[0].name == "0"
    finite = evaluate_sections(p, y, missed="diagonal", resamples=100)
    assert finite.sections[0].surfaces.hd95 == pytest.approx(24 * math.sqrt(2))
    assert finite.unit == "pixel"
    skipped = evaluate_sections(p, y, empty="skip", missed="diagonal", resamples=100)
    assert (skipped.whole["hd95"].n, skipped.whole["hd95"].left_out) == (11, 1)
    assert skipped.whole["hd95"].value > finite.whole["hd95"].value
    assert "nsd" not in found.whole
    assert "nsd" not in found.table()[0]


def test_a_section_without_a_label_has_no_score():
    mask = Y.astype("int16")
    mask[3], mask[5, :4] = -1, -1
    found = evaluate_sections(P, mask, ignore_label=-1, objects=True, resamples=100)
    assert found.sections[3].counts == PixelCounts()
    assert math.isnan(found.sections[3].pixels.jaccard)
    assert math.isnan(found.sections[3].surfaces.hd95)
    assert math.isnan(found.sections[3].object_scores.pq)
    assert found.whole["jaccard"].n == found.calibration.ece.n == found.ious.object.n == found.thresholds.images == 11
    assert found.counts == pixel_counts(P > 0.5, mask, ignore_label=-1)
    assert found.thresholds.pixels == sum(found.calibration.pixels) == found.counts.pixels
    assert record(Evaluation.from_dict(loads(record(found)))) == record(found)


def test_volumes_are_sections_too():
    found = evaluate_sections([P[:4], P[4:8]], [Y[:4], Y[4:8]], spacing=(9, 4, 4), objects=True, resamples=100)
    assert found.sections[1].surfaces == surface_scores(P[4:8] > 0.5, Y[4:8], spacing=(9, 4, 4))
    assert found.sections[0].objects.true == 2


def test_the_record_survives_json(tmp_path):
    missed = P.copy()
    missed[0] = 0
    for evaluation in (FOUND, evaluate_sections(missed, Y, names=[f"é{i}.png" for i in range(12)], resamples=100)):
        text = record(evaluation)
        json.loads(text, parse_constant=pytest.fail)  # strict: no bare NaN or Infinity
        again = Evaluation.from_dict(loads(text))
        assert record(again) == text == record(Evaluation.from_dict(json.loads(text)))
        assert str(again) == str(evaluation)
        assert again.sections[2].objects == evaluation.sections[2].objects
        write_run_evaluation(RunEvaluation("test", evaluation), tmp_path / "evaluation.json")
        assert record(read_run_evaluation(tmp_path / "evaluation.json").found) == text
    assert [file.name for file in tmp_path.iterdir()] == ["evaluation.json"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, r"`record` must be what `Evaluation\.to_dict` gave, version 1\. Received: version=2"),
        ({"counts": {"tp": "3", "fp": 0, "fn": 0, "tn": 0}}, r"counts\.tp"),
        ({"thresholds": {}}, r"a threshold curve has "),
        ({"thresholds": None}, r"a threshold curve has "),
        ({"thresholds": {**FOUND.to_dict()["thresholds"], "jaccard": [0.5]}}, r"`jaccard` must have one number for"),
        ({"thresholds": {**FOUND.to_dict()["thresholds"], "jaccard": None}}, r"`jaccard` must have one number for"),
        ({"thresholds": {**FOUND.to_dict()["thresholds"], "pixels": "3"}}, r"`pixels` must be a number"),
        ({"thresholds": {**FOUND.to_dict()["thresholds"], "reason": 3}}, r"`reason` must be a text"),
        ({"thresholds": {**FOUND.to_dict()["thresholds"], "best_threshold_interval": [0.1]}}, r"not enough values"),
        ({"surplus": 1}, r"surplus"),
        ({"unit": None}, r"unit"),
    ],
)
def test_a_damaged_record_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        Evaluation.from_dict({**FOUND.to_dict(), **change})


@pytest.mark.parametrize("name", ["sections", "whole", "thresholds", "ious"])
def test_a_record_that_lacks_something_is_refused(name):
    broken = FOUND.to_dict()
    del broken[name]
    with pytest.raises(ValueError, match=rf"`record` must be what .*\n{name}\n"):
        Evaluation.from_dict(broken)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b'"version"', b"\xff", b'{"version": 1}'])
def test_a_file_that_is_no_evaluation_is_named(tmp_path, content):
    file = tmp_path / "evaluation.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"evaluation\.json is damaged: "):
        read_run_evaluation(file)


@pytest.mark.parametrize(
    ("p", "y", "options", "text"),
    [
        (P, Y, {"threshold": 50}, r"`threshold` must lie between 0 and 1\. Received: threshold=50"),
        (P, Y, {"missed": "nan"}, r"`missed` must be one of 'inf', 'diagonal'"),
        (P, Y, {"empty": 1.0}, r"`empty` must be one of 'perfect', 'skip'"),
        (P, Y, {"connectivity": 4}, r"`connectivity` must be one of 'full', 'face'"),
        (P, Y, {"tolerance": -2}, r"`tolerance` must be a finite number, 0 or above"),
        (P, Y, {"spacing": (1, 2, 3)}, r"`spacing` must be .* one for each of the 2 axes"),
        (P, Y, {"names": ["a", "b"]}, r"`names` must be as many as the sections\. Received: 2, and more sections"),
        (P, Y, {"names": ["a"] * 13}, r"`names` must be as many as the sections\. Received: more than 12"),
        (P, Y, {"confidence": 95}, r"`confidence` must lie between 0 and 1"),
        (P, Y, {"resamples": 5}, r"`resamples` must be a whole number of resamples, 100 or more"),
        (P, Y, {"seed": -1}, r"`seed` must be a whole number, 0 or more"),
        ([], [], {}, r"at least one section with a pixel that counts\. Received: 0 sections"),
        ([P[0], P[:2]], [Y[0], Y[:2]], {}, r"as many axes as the first, 2\. Received: section 1, .*\(2, 24, 24\)"),
        ([P[0, 0]], [Y[0, 0]], {}, r"A section must have two or three axes.*Received: a section of shape \(24,\)"),
        (
            np.stack([1 - P, P], -1),
            np.stack([~Y, Y], -1),
            {},
            r"whose last axis adds up to 1, as the channels of a soft",
        ),
        (P, Y, {"ignore_label": 0}, r"^`ignore_label` must be the number that means no label.*ignore_label=0"),
        (P * 9 - 4, Y, {}, r"Section 0, counted from 0: `probabilities` must hold probabilities in \[0, 1\].*sigmoid"),
        (P, Y * 255, {}, r"Section 0, counted from 0: `masks` must hold 0 and 1 only\. Received: 255"),
        (P, Y[:, :9], {}, r"Section 0, .* must have the same shape.* Received: probabilities of shape \(24, 24\)"),
    ],
)
def test_what_can_not_be_evaluated_is_refused(p, y, options, text):
    with pytest.raises(ValueError, match=text):
        evaluate_sections(p, y, **{"resamples": 100, **options})


def test_arguments_are_looked_at_before_the_first_section():
    def never():
        yield pytest.fail("a section was asked for")

    with pytest.raises(ValueError, match="`threshold`"):
        evaluate_sections(never(), threshold=-1)
