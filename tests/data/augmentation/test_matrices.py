"""The matrix undoes what it stands for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moved_images import matrix


def homogeneous(entries):
    return np.vstack([entries, [0, 0, 1]])


@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.1, 3),
    shear=st.floats(-60, 60),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_matrix_times_the_steps_in_turn_is_nothing(angle, scale, shear, shift):
    cosine, sine, tangent = np.cos(np.radians(angle)), np.sin(np.radians(angle)), np.tan(np.radians(shear))
    steps = [
        [[1, 0, 0], [tangent, 1, 0]],
        [[scale, 0, 0], [0, scale, 0]],
        [[cosine, -sine, 0], [sine, cosine, 0]],
        [[1, 0, shift[0]], [0, 1, shift[1]]],
    ]
    product = homogeneous(matrix(1, angle, scale, shear, shift)[0].astype(float))
    for step in reversed(steps):
        product = product @ homogeneous(step)
    np.testing.assert_allclose(product, np.eye(3), atol=1e-4 * (1 + 50 / scale))
