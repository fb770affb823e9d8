"""A loss that does not fit the output."""

import pytest

from planted_runs import batches, planted, set_up
from unetdyn.analysis.diagnosis.causes import loss_choice

WRONG = [("loss.wrong", "ill", "high")]


def told(name, activation, **config):
    setup = set_up(loss={"name": name, "config": config}, output_activation=activation)
    return [(one.code, one.level, one.confidence) for one in loss_choice.find(planted(setup=setup))]


@pytest.mark.parametrize(
    ("name", "activation", "logits", "expected"),
    [
        ("binary_crossentropy", "sigmoid", True, WRONG),
        ("categorical_crossentropy", "softmax", True, WRONG),
        ("binary_crossentropy", "linear", False, WRONG),
        ("binary_focal_crossentropy", "linear", False, WRONG),
        ("binary_crossentropy", "sigmoid", False, []),
        ("binary_crossentropy", "linear", True, []),
        ("binary_crossentropy", None, False, []),
        ("binary_crossentropy", None, True, []),
        ("mean_squared_error", "linear", False, []),
        ("huber", "relu", False, []),
        ("my_bce_of_logits_crossentropy", "linear", None, []),
        ("binary_crossentropy, dice", "linear", None, []),
        ("binary_crossentropy", "my_sigmoid", False, []),
        ("binary_crossentropy", "<lambda>", False, []),
        ("dice", "linear", None, WRONG),
        ("bcedice_loss", "linear", False, WRONG),
        ("focal_tversky_loss", "sigmoid", False, []),
        ("lovasz_hinge_loss", "sigmoid", True, WRONG),
        ("lovasz_hinge_loss", "linear", True, []),
    ],
)
def test_loss_and_last_activation(name, activation, logits, expected):
    assert told(name, activation, from_logits=logits) == expected


@pytest.mark.parametrize(
    ("name", "activation", "channels", "expected"),
    [
        ("binary_crossentropy", "softmax", 1, WRONG),
        ("categorical_crossentropy", "sigmoid", 1, WRONG),
        ("categorical_focal_crossentropy", "softmax", 1, WRONG),
        ("categorical_crossentropy", "softmax", 2, []),
        ("binary_crossentropy", "softmax", 2, []),
        ("binary_crossentropy", "sigmoid", 1, []),
        ("categorical_hinge", "sigmoid", 1, WRONG),
        ("KLDivergence", "sigmoid", 1, WRONG),
        ("kl_divergence", "sigmoid", 1, WRONG),
        ("cosine_similarity", "sigmoid", 1, WRONG),
        ("KLDivergence", "softmax", 2, []),
        ("sparse_categorical_crossentropy", "softmax", 3, []),
    ],
)
def test_one_channel_is_no_set_of_classes(name, activation, channels, expected):
    loss = {"name": name, "config": {"from_logits": False}}
    for shape in ([None, 64, 64, channels], [8, channels]):
        setup = set_up(loss=loss, output_activation=activation, output_shape=shape)
        assert [(one.code, one.level, one.confidence) for one in loss_choice.find(planted(setup=setup))] == expected


@pytest.mark.parametrize("shape", [None, [], [[None, 1], [None, 1]], 1])
def test_channels_that_are_not_known(shape):
    setup = set_up(output_activation="softmax", output_shape=shape)
    assert list(loss_choice.find(planted(setup=setup))) == []


@pytest.mark.parametrize(("least", "most", "expected"), [(0.0, 1.0, []), (-1e-3, 1.0, WRONG), (0.0, 1.001, WRONG)])
def test_linear_layer_that_only_casts_a_sigmoids_outputs(least, most, expected):
    """As Keras' guide to mixed precision ends a network: `Activation("linear", dtype="float32")`."""
    setup = set_up(output_activation="linear")
    evidence = planted({"batch": batches(output_min=least, output_max=most)}, setup=setup)
    assert [(one.code, one.level, one.confidence) for one in loss_choice.find(evidence)] == expected


@pytest.mark.parametrize(
    ("name", "gamma", "expected"),
    [
        ("binary_focal_crossentropy", loss_choice.MOST_GAMMA + 1e-6, [("loss.focal", "watch", "medium")]),
        ("binary_focal_crossentropy", loss_choice.MOST_GAMMA, []),
        ("binary_focal_crossentropy", 2.0, []),
        ("tversky", 9.0, []),
        ("focal_tversky_loss", 9.0, []),  # whose γ is that of a root
    ],
)
def test_gamma_of_a_focal_loss(name, gamma, expected):
    assert told(name, "sigmoid", gamma=gamma, from_logits=False) == expected


@pytest.mark.parametrize("loss", [None, {"name": None, "config": None}, {"name": "", "config": {}}])
def test_loss_that_is_not_known(loss):
    assert list(loss_choice.find(planted(setup=set_up(loss=loss)))) == list(loss_choice.find(planted())) == []
