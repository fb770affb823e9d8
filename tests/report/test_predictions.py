"""The picture of predictions: which tiles, which epochs, and what the colours say."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from predicted import planted_pictures, planted_record
from unetdyn._plotting import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from unetdyn.report import PredictionDisplay
from unetdyn.report.predictions import chosen_epochs, worst_and_best
from unetdyn.runs import RunWriter
from unetdyn.runs.predictions import Predictions

IMAGE, MASK, PROBABILITY, ALPHA = planted_pictures()


def jaccard(mask, p):
    above = p > 0.5
    return (mask & above).sum() / (mask | above).sum()


def shown(display, panel):
    return np.asarray(display.axes_[panel].images[0].get_array())


def test_columns_show_the_best_epoch_of_the_worst_tile_first():
    display = PredictionDisplay.from_record(planted_record()).plot()
    scores = [jaccard(*pair) for pair in zip(MASK, PROBABILITY[1], strict=True)]  # epoch 4, the second
    worst = int(np.argmin(scores))
    assert display.axes_["0 image"].get_ylabel() == f"Jaccard {scores[worst]:.2f}\n{display.label[0]}"
    assert display.axes_["0 prediction"].get_title() == "prediction\nepoch 5"
    np.testing.assert_array_equal(shown(display, "0 image"), IMAGE[worst, ..., 0])
    np.testing.assert_array_equal(shown(display, "0 mask"), MASK[worst])
    np.testing.assert_array_equal(shown(display, "0 prediction"), PROBABILITY[1, worst] > 0.5)
    np.testing.assert_allclose(shown(display, "0 probability"), PROBABILITY[1, worst], atol=1 / 500)
    labels = [display.axes_[f"{row} image"].get_ylabel() for row in range(3)]
    assert labels == sorted(labels)


def test_errors_have_colours_of_their_own():
    display = PredictionDisplay.from_record(planted_record(), epoch=0, tiles=1).plot()
    mask, predicted, picture = display.mask[0], display.probability[-1, 0] > 0.5, shown(display, "0 errors")
    for colour, where in (
        (TRUE_POSITIVE, mask & predicted),
        (FALSE_POSITIVE, ~mask & predicted),
        (FALSE_NEGATIVE, mask & ~predicted),
        ("white", ~mask & ~predicted),
    ):
        assert where.any()
        np.testing.assert_allclose(picture[where], np.broadcast_to(to_rgb(colour), (where.sum(), 3)))
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts == ["true positive", "false positive", "false negative"]


def test_another_threshold_ranks_tiles_and_makes_predictions_errors_and_scores():
    display = PredictionDisplay.from_record(planted_record(), epoch=9, tiles=1, threshold=0.3).plot()
    scores = [jaccard(mask, p + 0.2) for mask, p in zip(MASK, PROBABILITY[2], strict=True)]
    worst = int(np.argmin(scores))
    assert display.ax_.get_ylabel().startswith(f"Jaccard {scores[worst]:.2f}\n")
    predicted = PROBABILITY[2, worst] > 0.3
    np.testing.assert_array_equal(shown(display, "0 prediction"), predicted)
    wrong = ~MASK[worst] & predicted
    np.testing.assert_allclose(shown(display, "0 errors")[wrong], [to_rgb(FALSE_POSITIVE)] * wrong.sum())


def test_epochs_stand_beside_each_other_with_their_jaccard(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.save_arrays("predictions", **planted_record())
    display = PredictionDisplay.over_epochs(writer.path, tiles=1).plot()
    assert list(display.axes_) == ["0 image", "0 epoch 1", "0 epoch 5", "0 epoch 10"]
    worst = int(np.argmin([jaccard(*pair) for pair in zip(MASK, PROBABILITY[2], strict=True)]))
    for panel, p in zip(list(display.axes_)[1:], PROBABILITY[:, worst], strict=True):
        np.testing.assert_allclose(shown(display, panel), p, atol=1 / 500)
        assert display.axes_[panel].get_xlabel() == f"{jaccard(MASK[worst], p):.2f}"


def test_gates_are_shown_over_the_whole_tile():
    display = PredictionDisplay.from_record(planted_record(), view="gates", epoch=9, tiles=1).plot()
    worst = int(np.argmin([jaccard(*pair) for pair in zip(MASK, PROBABILITY[2], strict=True)]))
    np.testing.assert_allclose(shown(display, "0 gate1"), ALPHA[2, worst], atol=1 / 500)
    assert display.axes_["0 gate1"].images[0].get_extent() == [-0.5, 11.5, 11.5, -0.5]
    assert display.axes_["0 gate1"].get_title() == "gate1\nepoch 10"


def test_colour_images_are_shown_in_colour():
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    mask = np.zeros((1, 4, 4), dtype=bool)
    display = PredictionDisplay(image, mask, mask[None] * 0.1, [0], ["random"]).plot()
    np.testing.assert_array_equal(shown(display, "0 image"), image[0])
    assert display.axes_["0 image"].get_ylabel() == "Jaccard 1.00\nrandom"  # both are empty


def test_worst_and_best_are_the_ends_of_the_order():
    scores = np.random.default_rng(0).permutation(20) / 20
    order = sorted(range(20), key=lambda place: scores[place])
    assert worst_and_best(scores, 5) == [*order[:3], *order[-2:]]
    assert worst_and_best(scores, 1) == worst_and_best(scores, 1, best=False) == order[:1]
    assert worst_and_best(scores, 50) == order


def test_epochs_beside_each_other_begin_with_the_first_and_end_with_the_one_asked_for():
    assert chosen_epochs([3, 8, 9], 8) == [3, 8]
    found = chosen_epochs(list(range(0, 100, 3)), 60)
    assert (len(found), found[0], found[-1]) == (5, 0, 60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epoch": 3}, r"`epoch` must be one that is kept, of \[0, 4, 9\]\. Received: 3"),
        ({"tiles": 0}, "`tiles` must be"),
        ({"view": "gate"}, "`view` must be one of"),
        ({"threshold": 50}, "`threshold` must lie between 0 and 1"),
    ],
)
def test_what_can_not_be_shown_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        PredictionDisplay.from_record(planted_record(), **arguments)


def test_nothing_to_show_is_told():
    with pytest.raises(ValueError, match="for a model with attention gates only"):
        PredictionDisplay.from_record(planted_record(gates=False), view="gates")
    empty = planted_record() | {"probability": {}, "gate": {}}
    with pytest.raises(ValueError, match="There must be predictions to draw"):
        PredictionDisplay.from_predictions(Predictions.from_record(empty))
