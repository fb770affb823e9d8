import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from unetdyn.metrics import counts


def split(total: int) -> np.ndarray:
    return np.array([total // counts.LIMB, total % counts.LIMB], dtype="float32")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=40))
def test_limbs_of_sum_and_add_are_exact_like_python_integers(images: list[int]) -> None:
    together = counts.limbs_of_sum(ops.convert_to_tensor(np.array(images, dtype="int32")))
    one_by_one = ops.zeros((2,))
    for image in images:
        one_by_one = counts.add(one_by_one, counts.limbs_of_sum(ops.convert_to_tensor(np.array([image], "int32"))))
    assert int(counts.to_integers(together)) == int(counts.to_integers(one_by_one)) == sum(images)


@pytest.mark.parametrize("start", [2**24 - 1, 2**31 - 1, 2**32 - 1, 2**40 + 12345, 2**44 - 2])
def test_add_counts_one_more_pixel_near_every_limit(start: int) -> None:
    total = counts.add(ops.convert_to_tensor(split(start)), ops.convert_to_tensor(split(1)))
    assert int(counts.to_integers(total)) == start + 1


def test_to_float_is_the_total_rounded_to_single_precision() -> None:
    total = 2**33 + 12345
    assert float(counts.to_float(ops.convert_to_tensor(split(total)))) == pytest.approx(total, rel=2**-23)


def test_limbs_of_real_keep_the_fraction() -> None:
    total = ops.zeros((2,))
    for _ in range(100):
        total = counts.add(total, counts.limbs_of_real(ops.convert_to_tensor(2.0**24 + 0.0, "float32") - 0.5))
    high, low = np.asarray(ops.convert_to_numpy(total), "float64")
    assert high * counts.LIMB + low == pytest.approx(100 * np.float64(np.float32(2.0**24 - 0.5)), abs=1)
