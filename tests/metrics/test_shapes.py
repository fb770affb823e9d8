import numpy as np
import pytest
from keras import ops

from unetdyn.metrics.shapes import match_rank, match_weight, require_same_shape


def zeros(*shape: int):
    return ops.convert_to_tensor(np.zeros(shape, dtype="float32"))


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [
        ((2, 3, 4), (2, 3, 4, 1), (2, 3, 4, 1)),
        ((2, 3, 4, 1), (2, 3, 4), (2, 3, 4)),
        ((2, 3, 4, 1), (2, 3, 4, 1), (2, 3, 4, 1)),
        ((2, 3), (2, 3, 4, 1), (2, 3)),
    ],
)
def test_match_rank_moves_a_last_axis_of_one(true: tuple, pred: tuple, expected: tuple) -> None:
    assert tuple(match_rank(zeros(*true), zeros(*pred)).shape) == expected


def test_require_same_shape_names_both_shapes_and_the_cure() -> None:
    with pytest.raises(ValueError, match=r"y_true\.shape=\(2, 3, 4, 1\), y_pred\.shape=\(2, 4, 4, 1\)\. Resize"):
        require_same_shape(zeros(2, 3, 4, 1), zeros(2, 4, 4, 1))
    with pytest.raises(ValueError, match="must have the same shape"):
        require_same_shape(zeros(2, 3), zeros(2, 3, 4, 1))


@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (2, 3, 4), (2, 3, 4, 1), (2, 1, 4)])
def test_match_weight_aligns_from_the_left(shape: tuple) -> None:
    weight = match_weight(zeros(*shape), zeros(2, 3, 4, 1))
    assert tuple(weight.shape) == shape + (1,) * (4 - len(shape))


@pytest.mark.parametrize("shape", [(3,), (2, 4, 4), (2, 3, 4, 1, 1)])
def test_match_weight_refuses_what_would_broadcast_wrongly(shape: tuple) -> None:
    with pytest.raises(ValueError, match=r"`sample_weight` must have the leading axes of `y_pred`"):
        match_weight(zeros(*shape), zeros(2, 3, 4, 1))
