import numpy as np
import pytest

from unetdyn.data import Stack, downsample


def make(images, masks=None, names=None):
    images = np.asarray(images)
    masks = np.zeros((*images.shape[:3], 1), "uint8") if masks is None else masks
    return Stack(images, masks, names or tuple(str(index) for index in range(len(images))))


def test_stack_take_keeps_images_masks_and_names_together():
    images = np.arange(4, dtype="uint16").reshape(4, 1, 1, 1)
    stack = make(images, (images % 2).astype("uint8"))
    taken = stack.take(np.array([3, 0]))
    assert taken.names == ("3", "0")
    assert taken.images.ravel().tolist() == [3, 0]
    assert taken.masks.ravel().tolist() == [1, 0]
    assert taken.images.dtype == np.uint16


@pytest.mark.parametrize(
    ("images", "masks", "names", "error", "text"),
    [
        (np.zeros((2, 4, 4), "uint8"), np.zeros((2, 4, 4, 1), "uint8"), ("a", "b"), ValueError, "must have shape"),
        (np.zeros((2, 4, 4, 1), "uint8"), np.zeros((2, 4, 5, 1), "uint8"), ("a", "b"), ValueError, r"\(2, 4, 5, 1\)"),
        (np.zeros((2, 4, 4, 1), "uint8"), np.zeros((2, 4, 4, 1), "uint8"), ("a",), ValueError, "Received: 1 names"),
        (np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1), "uint8"), ("a",), TypeError, "images of float64"),
        (np.zeros((1, 4, 4, 1), "uint8"), np.zeros((1, 4, 4, 1), bool), ("a",), TypeError, "masks of bool"),
    ],
)
def test_stack_refuses_what_does_not_agree(images, masks, names, error, text):
    with pytest.raises(error, match=text):
        Stack(images, masks, names)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_stack_refuses_nan_and_names_the_section(value):
    images = np.zeros((2, 3, 3, 1), "float32")
    images[1, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"image 'b' holds 1 NaN or infinite values"):
        make(images, names=("a", "b"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_downsample_equals_a_loop_over_blocks(dtype, factor):
    rng = np.random.default_rng(0)
    images = (rng.random((2, 6, 12, 2)) * 250).astype(dtype)
    masks = rng.integers(0, 3, (2, 6, 12, 1)).astype("uint8")
    small = downsample(make(images, masks), factor)
    assert small.images.dtype == dtype
    for section, row, col in np.ndindex(small.masks.shape[:3]):
        block = np.s_[section, row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
        mean = images[block].astype("float64").mean(axis=(0, 1))
        expected = mean if dtype == "float32" else np.round(mean)
        np.testing.assert_allclose(small.images[section, row, col], expected, rtol=1e-6)
        counts = [(masks[block] == index).sum() for index in range(3)]
        assert small.masks[section, row, col, 0] == max(range(3), key=lambda index: (counts[index], index))


def test_downsample_counts_half_a_block_as_foreground():
    masks = np.array([[1, 0, 1, 0], [0, 1, 0, 0]], "uint8").reshape(1, 2, 4, 1)
    assert downsample(make(np.zeros((1, 2, 4, 1), "uint8"), masks), 2).masks.ravel().tolist() == [1, 0]


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (0, r"must be a whole number, 1 or more\. Received: factor=0"),
        (1.5, r"must be a whole number, 1 or more\. Received: factor=1\.5"),
        (True, r"must be a whole number, 1 or more\. Received: factor=True"),
        (3, r"must divide the sections' height and width, 4×8\. Received: factor=3"),
    ],
)
def test_downsample_refuses_a_factor_that_does_not_divide(factor, text):
    with pytest.raises(ValueError, match=f"`factor` {text}"):
        downsample(make(np.zeros((1, 4, 8, 1), "uint8")), factor)


def test_stack_keeps_the_places_of_sections():
    stack = make(np.zeros((3, 1, 1, 1), "uint8"))
    assert (stack.position, stack.places) == (None, (0, 1, 2))
    assert stack.take([2, 0]).position == (2, 0)
    assert stack.take([0, 2]).take([1, 1]).position == (2, 2)
    assert downsample(stack.take([1]), 1).position == (1,)


@pytest.mark.parametrize("position", [(0,), (0, 1.5)])
def test_stack_refuses_places_that_are_no_whole_numbers(position):
    images = np.zeros((2, 1, 1, 1), "uint8")
    with pytest.raises(ValueError, match=r"`position` must hold one whole number for each of the 2 sections"):
        Stack(images, images, ("a", "b"), position=position)


def test_stack_with_images_keeps_the_rest():
    images = np.zeros((2, 1, 1, 1), "uint8")
    stack = Stack(images, images, ("a", "b"), voxel_size=(3, 2, 1), position=(0, 5)).with_images(images + np.float32(1))
    assert (stack.images.max(), stack.voxel_size, stack.position) == (1, (3, 2, 1), (0, 5))


def weighted(masks, weights):
    masks, weights = (np.array(part, "uint8").reshape(1, *np.shape(part), 1) for part in (masks, weights))
    return Stack(np.zeros_like(masks), masks, ("a",), weights)


def test_stack_take_keeps_weights():
    weights = np.array([0, 1, 1], "uint8").reshape(3, 1, 1, 1)
    stack = Stack(weights, weights, ("a", "b", "c"), weights)
    assert stack.take([2, 0]).weights.ravel().tolist() == [1, 0]


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.zeros((1, 2, 3, 1), "uint8"), r"of the masks' shape \(1, 2, 2, 1\).*uint8 of shape \(1, 2, 3, 1\)"),
        (np.ones((1, 2, 2, 1), "float32"), r"0 and 1 as uint8.*Received: weights of float32"),
        (np.full((1, 2, 2, 1), 255, "uint8"), "Weights of other values belong to `TileDataset`"),
        ([[1, 1], [1, 1]], "Received: weights of "),
    ],
)
def test_stack_refuses_weights_that_are_no_mask(weights, text):
    masks = np.zeros((1, 2, 2, 1), "uint8")
    with pytest.raises(ValueError, match=text):
        Stack(masks, masks, ("a",), weights)


def test_downsample_lets_only_pixels_with_a_label_vote():
    #         two of class 2 labelled | a tie of labels | mostly unlabelled | none labelled
    masks = [[1, 2, 1, 0, 1, 1, 3, 3], [1, 2, 9, 9, 1, 2, 3, 3]]
    weights = [[0, 1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 0, 0]]
    small = downsample(weighted(masks, weights), 2)
    assert small.masks.ravel().tolist() == [2, 1, 2, 0]
    assert small.weights.ravel().tolist() == [1, 1, 0, 0]
