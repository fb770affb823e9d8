"""Tiles put together, against the formula, against whole images, and after interruptions."""

import json
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import correlate

from unetdyn.inference import predict_tiled
from unetdyn.inference.grid import axis_of, profile
from unetdyn.inference.unfinished import Unfinished
from unetdyn.runs.process import identity

RNG = np.random.default_rng(0)
IMAGE = RNG.random((90, 61)).astype("float32")
VOLUME = RNG.random((9, 30, 21)).astype("float32")
KERNEL = RNG.random((5, 5)).astype("float32") / 25


def same(batch):
    return batch


def filtered(batch):
    """A network of one 5×5 convolution, padded with zeros."""
    return np.stack([correlate(image[..., 0], KERNEL, mode="constant") for image in batch])[..., np.newaxis]


def brute_force(image, tile, overlap, function):
    """Σ w p / Σ w, each sum kept for the whole image."""
    axes = [axis_of(length, side, overlap, "gaussian") for length, side in zip(image.shape, tile, strict=True)]
    weight = profile(tile[0], "gaussian")
    for side in tile[1:]:
        weight = np.multiply.outer(weight, profile(side, "gaussian"))
    total, weights = np.zeros(image.shape), np.zeros(image.shape)
    for index in np.ndindex(*(len(axis.starts) for axis in axes)):
        starts = [axis.starts[number] for axis, number in zip(axes, index, strict=True)]
        window = tuple(slice(start, start + side) for start, side in zip(starts, tile, strict=True))
        total[window] += weight * function(image[window])
        weights[window] += weight
    return total / weights


@pytest.mark.parametrize(("source", "tile"), [(IMAGE, (32, 16)), (VOLUME, (4, 16, 8))])
def test_result_is_the_weighted_average_of_all_tiles(source, tile):
    def uneven(tiles):  # what a pixel becomes depends on where in its tile it lies
        return tiles * np.linspace(0, 1, tiles.shape[-1])

    found = predict_tiled(
        lambda batch: uneven(batch[..., 0])[..., np.newaxis], source, tile=tile, normalise="none", overlap=0.4
    )
    np.testing.assert_allclose(found, brute_force(source, tile, 0.4, uneven), atol=1e-6)


@pytest.mark.parametrize("weighting", ["gaussian", "uniform"])
@pytest.mark.parametrize("overlap", [0, 0.25])
def test_pixels_whose_surroundings_are_in_all_their_tiles_are_those_of_the_whole_image(weighting, overlap):
    found = predict_tiled(filtered, IMAGE, tile=32, overlap=overlap, weighting=weighting, normalise="none")
    fits = []
    for length in IMAGE.shape:
        axis, inner = axis_of(length, 32, overlap, weighting), np.ones(length, bool)
        for start in axis.starts:
            inner[start : start + 2] &= start == 0  # the image's own border is the same in both
            inner[start + 30 : start + 32] &= start + 32 == length
        fits.append(inner)
    fits = np.logical_and.outer(*fits)
    assert fits.mean() > 0.5
    np.testing.assert_allclose(found[fits], correlate(IMAGE, KERNEL, mode="constant")[fits], rtol=1e-5)


@pytest.mark.parametrize("tta", [None, "mirrors", "all"])
@pytest.mark.parametrize(
    ("source", "tile"),
    [(IMAGE, 16), (IMAGE, 128), (IMAGE[:1, :1], 8), (VOLUME, 8), (VOLUME, (4, 8, 8)), (VOLUME, (16, 32, 32))],
)
def test_model_that_changes_nothing_gives_the_image_whatever_its_size(source, tile, tta):
    found = predict_tiled(same, source, tile=tile, tta=tta, normalise="none", batch_size=7)
    assert found.shape == source.shape
    np.testing.assert_allclose(found, source, atol=5e-6)


def test_image_smaller_than_the_tile_lies_in_the_middle_of_its_mirror_images():
    seen = []
    image = np.array([[1, 2, 3]], "float32") / 4
    predict_tiled(lambda batch: seen.append(batch) or batch, image, tile=(2, 7), normalise="none", batch_size=1)
    assert (4 * seen[-1][0, 0, :, 0]).tolist() == [3, 2, 1, 2, 3, 2, 1]
    np.testing.assert_array_equal(seen[-1][0, 0], seen[-1][0, 1])  # of one row the mirror image is itself


def shifted(batch):
    """A model that prefers a direction: each pixel becomes its right neighbour."""
    return np.roll(batch, -1, axis=-2)


def test_copies_of_a_model_with_a_direction_average_to_all_directions():
    image = np.zeros((48, 48), "float32")
    image[20, 20] = 1
    expected = np.zeros_like(image)
    expected[[19, 21, 20, 20], [20, 20, 19, 21]] = 1 / 4
    found = predict_tiled(shifted, image, tile=48, tta="all", normalise="none")
    np.testing.assert_allclose(found, expected, atol=1e-7)
    expected[[19, 21]], expected[20, [19, 21]] = 0, 1 / 2
    np.testing.assert_allclose(
        predict_tiled(shifted, image, tile=48, tta="mirrors", normalise="none"), expected, atol=1e-7
    )


def test_turned_image_gives_the_turned_result_with_all_copies():
    image = RNG.random((48, 48)).astype("float32")
    arguments = {"tile": 16, "tta": "all", "normalise": "none"}
    straight, turned = (predict_tiled(shifted, one, **arguments) for one in (image, np.rot90(image)))
    np.testing.assert_allclose(turned, np.rot90(straight), atol=1e-6)
    assert abs(predict_tiled(shifted, np.rot90(image), **arguments | {"tta": None}) - turned).max() > 0.1


def test_copies_are_averaged_as_probabilities_and_as_logits_where_these_are_asked_for():
    def by_side(batch):  # +4 left, −2 right, whatever is in the image
        logits = np.full(batch.shape, 4, "float32")
        logits[..., batch.shape[-2] // 2 :, :] = -2
        return logits

    image = np.zeros((8, 8), "float32")
    arguments = {"tile": 8, "tta": "mirrors", "normalise": "none", "from_logits": True}
    probability = (1 / (1 + np.exp(-4)) + 1 / (1 + np.exp(2))) / 2
    np.testing.assert_allclose(predict_tiled(by_side, image, **arguments), probability, rtol=1e-6)
    np.testing.assert_allclose(predict_tiled(by_side, image, reduce="logits", **arguments), 1, rtol=1e-6)


def test_classes_are_a_last_axis_or_numbers():
    def three(batch):
        return np.concatenate([batch / 3, batch, 0.5 + 0 * batch], axis=-1)

    stack = RNG.random((2, 20, 14)).astype("float32")
    found = predict_tiled(three, stack, tile=8, normalise="none")
    np.testing.assert_allclose(found, three(stack[..., np.newaxis]), atol=1e-6)
    labels = predict_tiled(three, stack, tile=8, normalise="none", reduce="argmax")
    np.testing.assert_array_equal(labels, np.where(stack > 0.5, 1, 2))
    assert labels.dtype == np.uint8


class Stop(Exception):
    pass


def stop_after(calls):
    def progress(*_done):
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise Stop

    return progress


def test_no_line_is_written_twice_and_all_are_written():
    class Once:
        shape, dtype = (90, 61), np.dtype("float32")

        def __init__(self):
            self.values, self.writes = np.zeros(self.shape), np.zeros(90, int)

        def __setitem__(self, key, value):
            self.values[key] = value
            self.writes[key] += 1

    out = predict_tiled(same, IMAGE, Once(), tile=16, normalise="none", batch_size=3)
    assert set(out.writes) == {1}
    np.testing.assert_allclose(out.values, IMAGE, atol=1e-6)


@pytest.mark.parametrize("ending", ["npy", "tif", "zarr"])
@pytest.mark.parametrize("batches", [1, 9, 30])
def test_interrupted_prediction_is_carried_on_to_the_same_bits(ending, batches, tmp_path):
    stack = RNG.random((2, 90, 61)).astype("float32")
    arguments = {"tile": 16, "normalise": "none", "batch_size": 5, "overlap": 0.6}
    whole = predict_tiled(filtered, stack, **arguments)
    out, calls = tmp_path / f"a.{ending}", []
    with pytest.raises(Stop):
        predict_tiled(filtered, stack, out, **arguments, progress=stop_after(batches))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"{out.name}.partial", f"{out.name}.progress.json"]
    told = predict_tiled(filtered, stack, out, **arguments, progress=lambda *done: calls.append(done))
    assert told == out
    assert [entry.name for entry in tmp_path.iterdir()] == [out.name]
    assert calls[-1][0] == calls[-1][1]
    assert (len(calls) < -(-calls[-1][1] // 5)) == (batches == 30 or (batches == 9 and ending != "zarr"))
    np.testing.assert_array_equal(predict_tiled(same, out, **arguments | {"tile": 90, "overlap": 0}), whole)


def test_interrupted_volume_is_carried_on_to_the_same_bits(tmp_path):
    arguments = {"tile": (4, 16, 16), "normalise": "none", "batch_size": 3}
    with pytest.raises(Stop):
        predict_tiled(same, VOLUME, tmp_path / "a.npy", **arguments, progress=stop_after(5))
    predict_tiled(same, VOLUME, tmp_path / "a.npy", **arguments)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), predict_tiled(same, VOLUME, **arguments))


def test_lines_that_were_written_before_a_kill_but_not_noted_are_written_anew(tmp_path):
    arguments = {"tile": 16, "normalise": "none", "batch_size": 4}
    with pytest.raises(Stop):
        predict_tiled(filtered, IMAGE, tmp_path / "a.npy", **arguments, progress=stop_after(8))
    done = json.loads((tmp_path / "a.npy.progress.json").read_text())["done"]
    assert 0 < done < len(IMAGE)
    with (tmp_path / "a.npy.partial").open("r+b") as file:
        values = np.lib.format.open_memmap(tmp_path / "a.npy.partial", "r")
        file.seek(values.offset + done * values.strides[0])
        file.write(b"\x7f" * values.strides[0] * (len(IMAGE) - done))
    predict_tiled(filtered, IMAGE, tmp_path / "a.npy", **arguments)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), predict_tiled(filtered, IMAGE, **arguments))


def test_kill_before_the_last_renaming_leaves_nothing_to_predict(tmp_path, monkeypatch):
    arguments = {"tile": 16, "normalise": "none", "batch_size": 4}
    with monkeypatch.context() as patched:
        patched.setattr(Unfinished, "finish", stop_after(0))
        with pytest.raises(Stop):
            predict_tiled(same, IMAGE, tmp_path / "a.npy", **arguments)
    calls = []
    predict_tiled(same, IMAGE, tmp_path / "a.npy", **arguments, progress=lambda *done: calls.append(done))
    assert len(calls) <= 1
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), predict_tiled(same, IMAGE, **arguments))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"tile": 8}, "tile"),
        ({"overlap": 0.25}, "overlap"),
        ({"reduce": "threshold"}, "dtype"),
        ({"normalise": "unit"}, "normalise"),
        ({"source": IMAGE + 1e-3}, "source.sample"),
        ({"source": IMAGE[:-1]}, "source.sample"),
        ({"model": same}, "model"),
    ],
)
def test_interrupted_prediction_is_not_carried_on_from_something_else(changed, name, tmp_path):
    arguments = {"model": filtered, "source": IMAGE, "out": tmp_path / "a.npy", "tile": 16, "normalise": "none"}
    with pytest.raises(Stop):
        predict_tiled(**arguments, progress=stop_after(0))
    with pytest.raises(ValueError, match=f"half done with another `{name}`: .* delete .*a.npy.partial"):
        predict_tiled(**arguments | changed)


def test_result_that_another_process_writes_is_refused_and_one_that_was_taken_over_is_left(tmp_path, monkeypatch):
    out, arguments = tmp_path / "a.npy", {"tile": 16, "normalise": "none", "batch_size": 4}
    first, here = Unfinished(out, {}), identity()
    with Unfinished(out, {}), monkeypatch.context() as patched:  # this process may: a notebook starts again
        patched.setattr(sys.modules["unetdyn.inference.unfinished"], "identity", lambda: here | {"pid": 1})
        with pytest.raises(FileExistsError, match=f"process {here['pid']} on .* writes. Wait until that has"):
            predict_tiled(same, IMAGE, out, **arguments)
    with pytest.raises(FileExistsError, match="which another one carries on or has completed"):
        first.note(1)
    (tmp_path / "a.npy.progress.json").unlink()
    predict_tiled(same, IMAGE, out, **arguments)
    assert [entry.name for entry in tmp_path.iterdir()] == [out.name]


def test_folder_that_is_replaced_leaves_folders_of_like_names_alone(tmp_path):
    out, arguments = tmp_path / "a.zarr", {"tile": 16, "normalise": "none", "overwrite": True}
    (tmp_path / "a.zarr.old").mkdir()
    for _ in range(2):
        predict_tiled(same, IMAGE, out, **arguments)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zarr", "a.zarr.old"]


def test_memory_does_not_grow_with_the_image(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["unetdyn.data.normalise"], "_SLAB", 2**12)

    class Endless:
        dtype = np.dtype("uint8")

        def __init__(self, height):
            self.shape = height, 200

        def __getitem__(self, key):
            return np.ones([len(range(*k.indices(n))) for k, n in zip(key, self.shape, strict=True)], "uint8")

    def half(batch):
        return 0 * batch + 0.5

    def peak(height):
        tracemalloc.start()
        arguments = {"tile": 50, "overlap": 0, "batch_size": 1, "normalise": "per_image", "overwrite": True}
        predict_tiled(half, Endless(height), tmp_path / "a.npy", **arguments)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(300)
    assert peak(2000) - peak(500) < 1500 * 200 / 2  # half a byte for each pixel more, of which the result has four


def test_next_tiles_are_read_while_the_model_is_at_work():
    """Four rows of one tile each: the model waits for the next row to be read."""
    rows_read = [threading.Event() for _ in range(4)]

    class Watched:
        shape, dtype = (64, 16), np.dtype("float32")

        def __getitem__(self, key):
            if key[0].stop - key[0].start == 16:
                rows_read[key[0].start // 16].set()
            return np.zeros((64, 16), "float32")[key]

    calls = []

    def waiting(batch):
        calls.append(len(calls))
        number = calls[-1]  # the call 0 is that on zeros, before anything is read
        assert number in (0, 4) or rows_read[number].wait(60)
        return batch

    predict_tiled(waiting, Watched(), tile=16, overlap=0, batch_size=1, normalise="none")
    assert len(calls) == 5


def test_error_of_the_model_in_the_middle_is_raised_as_it_is():
    calls = []

    def failing(batch):
        calls.append(batch)
        if len(calls) > 3:
            raise OSError("the device is gone")
        return batch

    with pytest.raises(OSError, match="the device is gone"):
        predict_tiled(failing, IMAGE, tile=16, normalise="none", batch_size=2)


def test_logits_further_on_in_the_image_are_seen():
    image = np.zeros((200, 16), "float32")
    image[150] = -3
    with pytest.raises(ValueError, match="outputs from -3 to 0, which are none: it gives logits"):
        predict_tiled(same, image, tile=16, normalise="none", batch_size=1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"normalise": None}, ValueError, "`normalise` must say how images were made ready in training"),
        ({"normalise": "per_imag"}, ValueError, "Did you mean 'per_image'"),
        ({"tile": None}, ValueError, "`tile` must be a whole number .* Received: tile=None"),
        ({"tile": (4, 4, 4, 4)}, ValueError, "`tile` must be a whole number"),
        ({"tile": (4, 8, 8)}, ValueError, "`source` must be a volume for tiles in 3D"),
        ({"tile": (8, 16), "tta": "all"}, ValueError, "needs tiles as high as they are wide"),
        ({"tta": "mirror"}, ValueError, "Did you mean 'mirrors'"),
        ({"overlap": 1}, ValueError, "`overlap` must lie between 0 and 1, without 1"),
        ({"weighting": "gauss"}, ValueError, "Did you mean 'gaussian'"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be a whole number of tiles, 1 or more"),
        ({"progress": "yes"}, TypeError, "`progress` must be True, None, or a function"),
        ({"model": 3}, TypeError, "`model` must be a Keras model"),
        ({"model": lambda batch: batch[:, :-2]}, ValueError, "must give a value for each pixel of a tile"),
        ({"out": np.zeros((90, 60))}, ValueError, r"array of shape \(90, 61\) and dtype float32. .* \(90, 60\)"),
        ({"out": "a.png"}, ValueError, "`out` must end in one of"),
        ({"out": "a.npy", "source": "./a.npy"}, ValueError, "`out` must be another file than `source`"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        predict_tiled(**{"model": same, "source": IMAGE, "tile": 16, "normalise": "none"} | arguments)
