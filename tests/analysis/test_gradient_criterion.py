"""‖∇L‖ < ε on the record of a quadratic that is known in closed form, and on records that lack something."""

import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis import converged_by_gradient

EPOCHS, STEPS = 30, 10
EPOCH = np.repeat(np.arange(EPOCHS), STEPS)


def descended(noise=0.0, dimensions=100, seed=0):
    """Gradient norms of descent on ½|w|², rate 0.05: |w_t| = 0.95^t, with noise of that size in each batch."""
    rng = np.random.default_rng(seed)
    true = 0.95 ** np.arange(EPOCHS * STEPS)
    direction = np.zeros(dimensions)
    direction[0] = 1
    gradients = true[:, None] * direction + noise / np.sqrt(dimensions) * rng.standard_normal((len(true), dimensions))
    return {"epoch": EPOCH, "grad_norm": np.linalg.norm(gradients, axis=1)}


def test_it_holds_from_the_epoch_of_the_closed_form_on():
    result = converged_by_gradient(descended(), epsilon=1e-3, in_a_row=1)
    # The root mean square of an epoch is 0.95^(10 e) times that of its first ten steps.
    first = np.sqrt(np.mean(0.95 ** (2 * np.arange(STEPS))))
    expected = int(np.ceil(np.log(1e-3 / first) / (STEPS * np.log(0.95))))
    assert (result.since, result.first_epoch) == (expected, expected)
    assert converged_by_gradient(descended(), epsilon=1e-3, in_a_row=4).since == expected + 3
    assert result.norm == result.lowest == pytest.approx(first * 0.95 ** (STEPS * (EPOCHS - 1)))


def test_the_noise_of_a_batch_is_a_floor_as_stated():
    """The expected square is |∇L|² + tr Σ / B; here the second is 0.1²."""
    record = descended(noise=0.1)
    result = converged_by_gradient(record, epsilon=0.05)
    assert (result.verdict, result.first_epoch) == ("not converged", None)
    assert result.norm == pytest.approx(0.1, rel=0.1)
    assert str(result).splitlines()[1].endswith("not converged: below 0.05 for the last 0 epochs, of 3 that it takes")


def test_a_run_and_its_path_bring_their_record(tmp_path):
    writer = runs.RunWriter(tmp_path / "run")
    writer.save_arrays("gradient", **descended())
    writer.finish()
    expected = converged_by_gradient(descended(), epsilon=1e-3)
    assert converged_by_gradient(runs.open(tmp_path / "run"), epsilon=1e-3) == expected
    assert converged_by_gradient(str(tmp_path / "run"), epsilon=1e-3) == expected


def test_steps_without_a_finite_norm_are_left_out():
    record = descended()
    record["grad_norm"][::7] = np.inf
    assert converged_by_gradient(record, epsilon=1e-3).converged
    record["grad_norm"][-STEPS:] = np.nan
    result = converged_by_gradient(record, epsilon=1e-3)
    assert result.reason == "NaN or infinite in 1 of the last 3 epochs"
    assert result.first_epoch is not None


def test_too_few_epochs_are_undetermined():
    result = converged_by_gradient({"epoch": [0, 0, 1], "grad_norm": [1.0, 1.0, 0.5]}, epsilon=1.0)
    assert (result.verdict, result.reason) == ("undetermined", "2 of the 3 epochs that it needs")
    nothing = converged_by_gradient({"epoch": [], "grad_norm": []}, epsilon=1.0)
    assert (nothing.reason, np.isnan(nothing.lowest)) == ("0 of the 3 epochs that it needs", True)


@pytest.mark.parametrize(
    ("record", "kwargs", "text"),
    [
        ({"epoch": [0], "grad_norm": [1.0]}, {"epsilon": 0}, r"`epsilon` must be a finite number above 0. .*epsilon=0"),
        ({"epoch": [0], "grad_norm": [1.0]}, {"in_a_row": 0}, r"`in_a_row` must be a whole number of epochs, 1 "),
        ({"loss": [1.0]}, {}, r"`record` must be that of a `GradientMonitor`, .* a run that has one. Received: loss."),
        ([1.0, 2.0], {}, r"`record` must be that of a `GradientMonitor`.* Received: list\."),
        ({"epoch": [0, 1], "grad_norm": [1.0]}, {}, r"one value a step each. Received: shapes \(2,\) and \(1,\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(record, kwargs, text):
    with pytest.raises(ValueError, match=text):
        converged_by_gradient(record, **{"epsilon": 1.0, **kwargs})
