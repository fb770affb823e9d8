"""FlipMapDisplay: the curves, the shares both ways, and the images that flipped most."""

import numpy as np
import pytest

from unetdyn.report import FlipMapDisplay

EPOCHS = np.arange(5)
RECORD = {
    "epoch": EPOCHS,
    "jaccard": np.array([0.2, 0.6, np.nan, 0.3, 0.5]),
    "best_jaccard": np.array([0.5, 0.6, np.nan, 0.62, 0.64]),
    "soft_jaccard": np.array([0.4, 0.42, np.nan, 0.43, 0.44]),
    "on": np.array([np.nan, 0.2, np.nan, 0.0, 0.1]),
    "off": np.array([np.nan, 0.0, np.nan, 0.3, 0.05]),
    "flip_count": np.stack([np.full((4, 6), count) for count in (0, 3, 1, 2, 1, 0)]).astype(np.uint16),
    "target": np.arange(144).reshape(6, 4, 6) % 6 > 2,
}


def test_curves_go_over_epochs_that_were_left_out():
    (best,) = (
        line
        for line in FlipMapDisplay.from_record(RECORD).plot().axes_["curves"].get_lines()
        if line.get_label() == "at the best threshold"
    )
    assert list(best.get_xdata()) == [1, 2, 4, 5]
    assert list(best.get_ydata()) == [0.5, 0.6, 0.62, 0.64]


def test_shares_are_bars_up_and_down():
    heights = [bar.get_height() for bar in FlipMapDisplay.from_record(RECORD).plot().axes_["rates"].patches]
    np.testing.assert_allclose(heights, [0, 20, 0, 0, 10, 0, 0, 0, -30, -5])


def test_map_shows_the_images_with_most_flips_in_their_order():
    ax = FlipMapDisplay.from_record(RECORD).plot().axes_["map"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["image 2", "image 3", "image 4", "image 5"]
    tiles = np.ma.getdata(ax.images[0].get_array())
    assert [tiles[0, column] for column in (0, 7, 14, 21)] == [3, 1, 2, 1]
    assert np.isnan(tiles[0, 6])
    assert "most flips of 6 images" in ax.get_xlabel()


def test_titles_say_the_largest_change_and_the_share_of_chronic_flippers():
    axes = FlipMapDisplay.from_record(RECORD).plot().axes_
    title = axes["curves"].get_title("left").replace("\n", " ")
    assert "largest change of the Jaccard at 0.5: +0.400 at epoch 2; at the best threshold +0.100" in title
    assert axes["map"].get_title("left").replace("\n", " ").startswith("33.3% of the pixels flipped at more than half")


def test_volumes_show_their_middle_and_one_epoch_no_change():
    record = {name: values[:1] for name, values in RECORD.items()} | {
        "flip_count": np.zeros((2, 3, 4, 5)),
        "target": None,
    }
    axes = FlipMapDisplay.from_record(record).plot().axes_
    assert axes["map"].images[0].get_array().shape == (4, 11)
    assert "no change yet" in axes["curves"].get_title("left")


def test_records_of_others_and_without_images_are_refused():
    with pytest.raises(ValueError, match=r"`record` must be what ThresholdFlipMonitor recorded.*Received: step\."):
        FlipMapDisplay.from_record({"step": [1]})
    with pytest.raises(ValueError, match=r"`record` must have at least one image"):
        FlipMapDisplay.from_record(RECORD | {"flip_count": np.zeros((0, 0, 0))})
