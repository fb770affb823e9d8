"""JSON that any program reads, with nothing lost."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.runs import strict_json


def _refuse(constant):
    raise AssertionError(f"not strict JSON: {constant}")


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text().map(lambda text: f"_{text}"))
trees = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@given(tree=trees)
@settings(deadline=None, max_examples=50)
def test_dumps_is_strict_and_restore_numbers_is_its_inverse(tree):
    parsed = json.loads(strict_json.dumps(tree), parse_constant=_refuse)
    assert repr(strict_json.restore_numbers(parsed)) == repr(tree)  # repr: NaN is not equal to itself


def test_dumps_takes_numpy_and_paths():
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": Path("x") / "y", "d": (1, np.bool_(True)), 4: np.nan}
    parsed = json.loads(strict_json.dumps(value))
    assert parsed == {"a": 0.5, "b": [0, 1, 2], "c": str(Path("x/y")), "d": [1, True], "4": "NaN"}
    assert math.isnan(strict_json.restore_numbers(parsed)["4"])


def test_dumps_names_what_it_cannot_write():
    with pytest.raises(TypeError, match=r"A run directory holds numbers.* Received: .*object object.* of type object"):
        strict_json.dumps({"config": object()})


def test_text_that_no_file_can_hold_is_written_with_question_marks():
    """The name of a file on Linux may be no text: Python has half characters for it."""
    path = Path("caf\udce9")
    assert json.loads(strict_json.dumps({path.name: path}).encode()) == {"caf?": "caf?"}
