"""Predictions as they are kept: eight bits, compressed, and read from a run in whatever state its file is."""

import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicted import EPOCHS, planted_pictures, planted_record
from unetdyn import runs
from unetdyn.runs.predictions import Predictions, packed, quantised, unpacked


@given(st.floats(0, 1, width=32))
def test_level_is_near_the_probability_and_on_its_side_of_one_half(p):
    level = int(quantised(np.float32(p)))
    assert (level >= 128) == (p > 0.5)
    assert abs(Fraction(2 * level + 1, 512) - Fraction(p)) <= Fraction(1, 512)


def test_packed_is_unpacked():
    picture = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(unpacked(packed(picture), (2, 3, 4)), picture)
    np.testing.assert_array_equal(unpacked(packed(picture > 5), (2, 3, 4)), picture > 5)
    np.testing.assert_array_equal(unpacked(packed(np.zeros(0, np.uint8)), (0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (packed(np.zeros(5, np.uint8)), "must hold 4 bytes"),
        (packed(np.zeros(3, np.uint8)), "must hold 4 bytes"),
        (np.frombuffer(zlib.compress(bytes(10**6)), np.uint8), "must hold 4 bytes"),
        (packed(np.zeros(4, np.uint8))[1:], "is no zlib stream"),
        (packed(np.zeros(4, np.uint8)).astype(float), "must be bytes in one row. Received: float64"),
    ],
)
def test_what_is_no_such_picture_is_refused(stream, words):
    with pytest.raises(ValueError, match=words):
        unpacked(stream, (2, 2))


def test_run_has_the_predictions_that_were_recorded(tmp_path):
    writer = runs.RunWriter(tmp_path / "run")
    assert runs.open(writer.path).predictions is None
    writer.save_arrays("predictions", **planted_record())
    found = runs.open(writer.path).predictions
    image, mask, probability, alpha = planted_pictures()
    assert (found.epochs, found.best) == (EPOCHS, 4)
    assert found.kinds == ("most foreground", "hardest", "random")
    assert found.places.tolist() == [[0, 0, 0], [1, 0, 4], [5, 0, 0]]
    np.testing.assert_array_equal(found.image, image)
    np.testing.assert_array_equal(found.mask, mask)
    for place, epoch in enumerate(EPOCHS):
        np.testing.assert_allclose(found.probability(epoch), probability[place], atol=1 / 512 + 1e-7)
        np.testing.assert_array_equal(found.probability(epoch) > 0.5, probability[place] > 0.5)
        np.testing.assert_allclose(found.gates(epoch)["gate1"], alpha[place], atol=1 / 512 + 1e-7)


def test_what_is_not_kept_is_said():
    found = Predictions.from_record(planted_record(gates=False))
    assert found.gates(4) == {}
    for read in (found.probability, found.gates):
        with pytest.raises(KeyError, match=r"no predictions of epoch 3 \(from 0\), but of \[0, 4, 9\]"):
            read(3)
    assert Predictions.from_record(planted_record() | {"best": np.array(7)}).best is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"shape": np.array([3, 12, 12])}, "whole numbers of shape"),
        ({"shape": np.array([3, 12, 12, 2])}, "1 or 3 channels"),
        ({"shape": np.array([3, -12, 12, 1])}, "1 or 3 channels"),
        ({"kind": np.array([1, 2, 4])}, r"from 0 to 3 for each tile. Received: \[1, 2, 4\]"),
        ({"kind": np.array(["hardest"])}, "whole numbers of shape"),
        ({"best": np.array(0.5)}, "whole numbers of shape"),
        ({"probability": np.zeros(3)}, "must be dictionaries"),
        ({"gate_shape": np.zeros(3)}, "must be dictionaries"),
        ({"probability": {"first": np.zeros(3)}}, "invalid literal"),
        ({"place": np.zeros((3, 2), int)}, "whole numbers of shape"),
        ({"image": None}, "lacks 'image'"),
    ],
)
def test_damaged_record_is_refused_when_it_is_opened(damage, words):
    record = planted_record() | damage
    with pytest.raises(runs.RunError, match=f"The record of predictions is damaged: .*{words}"):
        Predictions.from_record({name: value for name, value in record.items() if value is not None})


@pytest.mark.parametrize(
    "damage",
    [
        {"image": np.zeros(9, np.uint8)},
        {"mask": packed(np.zeros(9, np.uint8))},
        {"probability": {"4": np.array(["text"])}},
        {"gate_shape": {}},
        {"gate_shape": {"gate1": np.zeros(2)}},
        {"gate_shape": {"gate1": np.array([10**18, 10**18])}},
    ],
)
def test_damaged_picture_is_refused_when_it_is_asked_for(damage):
    found = Predictions.from_record(planted_record() | damage)

    def read():
        return found.image, found.mask, found.probability(4), found.gates(4)

    with pytest.raises(runs.RunError, match="The record of predictions is damaged"):
        read()
