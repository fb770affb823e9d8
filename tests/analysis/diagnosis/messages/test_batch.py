"""What is told of batches: codes, levels and numbers."""

from unetdyn.analysis.diagnosis.messages.batch import of_an_epoch

HEALTHY = {
    **{f"{part}_{of}": 0.0 for part in ("input", "target", "output") for of in ("min", "nonfinite")},
    **{f"{part}_{of}": value for part in ("input", "target", "output") for of, value in (("max", 1.0), ("mean", 0.5))},
    "input_std": 0.3,
    "output_std": 0.3,
    "output_spread": 0.3,
    "target_fractional": 0.0,
    "foreground": 0.2,
}
NAN = dict.fromkeys(HEALTHY, float("nan"))


def told(validation=None, masks=True, probabilities=True, scales_inputs=False, several_values=True, **numbers):
    sets = {"training": HEALTHY | numbers} | ({} if validation is None else {"validation": HEALTHY | validation})
    return list(of_an_epoch(sets, masks, probabilities, scales_inputs, several_values))


def codes(**arguments):
    return [finding.code for finding in told(**arguments)]


def test_nothing_of_a_healthy_epoch_or_of_unknown_numbers():
    assert codes(validation={}) == []
    assert codes(**NAN) == []


def test_what_is_not_finite():
    for part, code in (("input", "inputs"), ("target", "labels"), ("output", "outputs")):
        (found,) = told(validation={f"{part}_nonfinite": 0.25})
        assert (found.code, found.level) == (f"{code}.nonfinite", "watch")
        assert "0.25 of all values in validation" in found.seen


def test_masks_that_are_images():
    (found,) = told(target_max=255.0, validation={"target_max": 255.0})
    assert found.code == "labels.scale"
    assert "up to 255 in training, up to 255 in validation" in found.seen
    assert codes(target_max=255.0, masks=False) == ["labels.scale"]
    assert codes(target_max=3.5, masks=False) == []
    assert codes(target_max=255.0, target_fractional=0.1, masks=False) == []


def test_other_trouble_with_labels():
    assert codes(target_fractional=0.1) == ["labels.fractional"]
    assert codes(target_fractional=0.1, target_max=200.0) == ["labels.scale"]
    assert codes(foreground=0.0) == ["labels.empty"]
    assert codes(foreground=1.0) == ["labels.full"]
    assert codes(foreground=1.0, masks=False) == []
    (found,) = told(target_min=-1.0, validation={})
    assert (found.code, found.seen.split(":")[1]) == (
        "labels.scale",
        " down to -1 in training. The loss takes masks of 0 and 1.",
    )
    assert codes(target_min=-1.0, masks=False) == []
    assert codes(foreground=0.0, target_fractional=0.1, masks=False) == []


def test_inputs():
    raw = {"input_max": 255.0, "input_mean": 90.0, "input_std": 40.0}
    assert codes(**raw) == ["inputs.unscaled"]
    assert codes(**raw, scales_inputs=True) == []
    assert codes(input_max=30.0, input_mean=0.0, input_std=1.0) == []  # a bright spot
    assert codes(input_min=-1024.0, input_mean=-500.0) == ["inputs.unscaled"]


def test_outputs():
    assert codes(output_min=-2.0) == codes(output_max=1.01) == ["outputs.range"]
    assert codes(output_max=1.0005) == codes(output_min=-2.0, probabilities=False) == []
    assert codes(output_spread=0.0) == ["outputs.constant"]
    assert codes(output_spread=0.0, several_values=False) == []
    assert codes(output_std=0.0, several_values=False) == ["outputs.constant"]
