"""What every callback owes a training that is killed and resumed: it goes on as if nothing had been.

All are in a few trainings at once; the tests look at each of them.
"""

import functools

import keras
import numpy as np
import pytest

from monitored_units import CONTROLS, MONITORS
from resumed_training import DIRECTORY, EPOCHS, MOMENTS, STEPS, WAYS, callbacks_for, trained
from unetdyn.runs.state_tree import decode, encode

pytestmark = pytest.mark.filterwarnings("ignore:.*CSVLogger takes its columns from the first epoch")

UNITS = [name for name in MONITORS | CONTROLS if name not in DIRECTORY]
TIMES = {"seconds", "_seconds", "_spent", "_trained", "cost"}
"""What is measured in seconds is another number each time."""


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A new empty folder at each call."""
    return lambda: tmp_path_factory.mktemp("resume")


@functools.cache
def uninterrupted(way, folders):
    return trained(way, folders())


@functools.cache
def resumed(way, moment, folders):
    return trained(way, folders(), MOMENTS[moment], uninterrupted(way, folders).taken[MOMENTS[moment]])


@pytest.fixture(params=WAYS, scope="session")
def way(request):
    return request.param


@pytest.fixture(params=MOMENTS, scope="session")
def moment(request):
    return request.param


@pytest.fixture
def pair(way, moment, folders):
    return resumed(way, moment, folders), uninterrupted(way, folders)


def assert_equal(left, right, path=""):
    """To the last bit, and of the same type; without what is measured in seconds."""
    if isinstance(right, dict):
        assert left.keys() == right.keys(), path
        for name in right.keys() - TIMES:
            assert_equal(left[name], right[name], f"{path}/{name}")
    elif isinstance(right, list | tuple):
        assert len(left) == len(right), path
        for place, parts in enumerate(zip(left, right, strict=True)):
            assert_equal(*parts, f"{path}/{place}")
    else:
        np.testing.assert_array_equal(left, right, err_msg=path)
        assert np.asarray(left).dtype == np.asarray(right).dtype, path


def test_variables_are_those_of_the_uninterrupted_training(pair):
    assert_equal(pair[0].variables, pair[1].variables)


def test_logs_are_those_of_the_uninterrupted_training(pair):
    histories = [each.callbacks["History"] for each in pair]
    assert_equal(*(each.history for each in histories))
    assert histories[0].epoch == histories[1].epoch == [0, 1, 2]
    assert pair[0].log == pair[1].log
    assert pair[0].log.count(b"\n") == 4


def test_records_findings_and_results_are_those_of_the_uninterrupted_training(pair):
    for name, unit in pair[1].callbacks.items():
        if name in UNITS and hasattr(unit, "record"):
            own = pair[0].callbacks[name]
            assert_equal(own.record, unit.record, name)
            assert own.findings == unit.findings, name


def test_attributes_are_those_of_the_uninterrupted_training(pair):
    for name, attributes in pair[1].attributes.items():
        if name != "Forgetful":
            assert_equal(pair[0].attributes[name], attributes, name)


def test_state_is_all_that_a_callback_keeps(pair, moment):
    """At the moment at which it comes back, in a callback that was new."""
    ours, theirs = (each.at[MOMENTS[moment]] for each in pair)
    for name, attributes in theirs.items():
        if name != "Forgetful":
            assert_equal(ours[name], attributes, name)
        else:
            with pytest.raises(AssertionError, match="Forgetful/seen"):
                assert_equal(ours[name], attributes, name)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch traces nothing")
def test_step_is_traced_once(pair):
    assert pair[0].calls == pair[1].calls


def test_something_was_at_stake(folders):
    """Steps that were clipped, and skipped, before the training was cut and after it."""
    plain, float16 = (uninterrupted(way, folders).callbacks for way in ("plain", "float16"))
    clipped = plain["AutoClip"].record["clip_coefficient"] < 1
    assert clipped[:10].any()
    assert clipped[10:].any()
    skipped = float16["NonFiniteGuard"].record["step"]
    assert skipped.min() < 10 <= skipped.max()
    assert 0 < len(skipped) < STEPS * EPOCHS
    assert plain["ReduceLROnPlateau"].best is not None


def test_state_of_a_new_callback_is_a_tree(tmp_path):
    for name, unit in callbacks_for("plain", tmp_path).items():
        if hasattr(unit, "get_state"):
            state = unit.get_state()
            assert_equal(decode(*encode(state)), state, name)
            unit.set_state(state)
            assert_equal(unit.get_state(), state, name)
