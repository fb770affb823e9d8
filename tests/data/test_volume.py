import tracemalloc

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data import (
    Augmentation,
    LazyArray,
    Stack,
    TileDataset,
    check_leakage,
    downsample,
    normalise,
    read_folder,
    read_volume,
    split_by_section,
    tile,
)
from unetdyn.data.groups import group_names
from unetdyn.data.masks import refuse_unmarked
from volume_files import WRITERS, volume

LAZY = ["a.mrc", "a.h5", "a.nii", "a.zarr", "a.npy", "a.tif"]


def masks_of(array):
    return (array > array.mean()).astype("uint8") * 9


@pytest.mark.parametrize("name", WRITERS)
def test_read_volume_reads_a_volume_and_its_mask(tmp_path, name):
    for sub, array in (("images", volume()), ("masks", masks_of(volume()))):
        (tmp_path / sub).mkdir()
        WRITERS[name](tmp_path / sub / name, array)
    paths = tmp_path / "images" / name, tmp_path / "masks" / name
    stacks = [read_volume(*paths), read_folder(tmp_path), *([read_volume(*paths, lazy=True)] if name in LAZY else [])]
    for stack in stacks:
        assert stack.names == ("a[0]", "a[1]", "a[2]")
        np.testing.assert_array_equal(stack.images[:][..., 0], volume())
        np.testing.assert_array_equal(stack.masks[:][..., 0], masks_of(volume()) / 9)


def test_read_volume_takes_image_and_mask_from_one_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["labels"] = volume(4, 8, 8), masks_of(volume(4, 8, 8))
        file["raw"].attrs["element_size_um"] = [0.05, 0.004, 0.004]
    stack = read_volume(tmp_path / "a.h5::/raw", tmp_path / "a.h5::/labels")
    assert stack.voxel_size == pytest.approx((50, 4, 4))
    assert downsample(stack, 2).voxel_size == pytest.approx((50, 8, 8))
    assert stack.take([1]).voxel_size == stack.voxel_size
    again = read_folder(tmp_path, images="a.h5::/raw", masks="a.h5::labels")
    np.testing.assert_array_equal(again.masks, stack.masks)


@pytest.mark.parametrize("lazy", [False, True])
def test_read_volume_takes_the_axes_of_an_array_that_also_says_its_voxels(tmp_path, lazy):
    channels = np.stack([volume(9, 9, 9), volume(9, 9, 9, seed=1)])  # no shape that axes can be guessed of
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["labels"] = channels, masks_of(channels[0])
        file["raw"].attrs["element_size_um"] = [0.05, 0.004, 0.004]
    stack = read_volume(tmp_path / "a.h5::/raw", tmp_path / "a.h5::/labels", axes="czyx", lazy=lazy)
    np.testing.assert_array_equal(stack.images[:], np.moveaxis(channels, 0, -1))
    assert stack.voxel_size == pytest.approx((50, 4, 4))


def test_read_volume_takes_masks_without_channels(tmp_path):
    images = np.arange(2 * 3 * 4 * 5, dtype="uint8").reshape(2, 3, 4, 5)  # c, z, y, x
    np.save(tmp_path / "raw.npy", images)
    np.save(tmp_path / "labels.npy", masks_of(images[0]))
    stack = read_volume(tmp_path / "raw.npy", tmp_path / "labels.npy", axes="czyx")
    np.testing.assert_array_equal(stack.images, np.moveaxis(images, 0, -1))
    np.testing.assert_array_equal(stack.masks[..., 0], masks_of(images[0]) / 9)


def test_read_folder_keeps_volumes_apart_that_lie_in_one_folder(tmp_path):
    for sub in ("images", "masks"):
        (tmp_path / sub).mkdir()
        for seed in (1, 2):
            array = volume(3, 8, 8, seed=seed)
            affine = np.diag([1, 1, seed, 1])
            nibabel.save(
                nibabel.Nifti1Image((array if sub == "images" else masks_of(array)).T, affine),
                tmp_path / sub / f"p{seed}.nii.gz",
            )
    stack = read_folder(tmp_path)
    assert stack.names[2:4] == ("p1[2]", "p2[0]")
    assert stack.places == (0, 1, 2, 4, 5, 6)
    assert stack.voxel_size is None  # they differ
    tiles = tile(stack, (2, 8, 8), stride=(1, 8, 8))
    assert tiles.section.tolist() == [0, 1, 3, 4]
    with pytest.raises(ValueError, match=r"a depth of 4, but from 'p1\[0\]' on there are 3"):
        tile(stack, (4, 8, 8))


def test_read_volume_refuses_a_mask_of_another_length_or_orientation(tmp_path):
    np.save(tmp_path / "raw.npy", volume())
    np.save(tmp_path / "labels.npy", masks_of(volume())[:2])
    with pytest.raises(ValueError, match=r"as many pages\. Received: image 'raw' with 3 pages of images, 2 of masks"):
        read_volume(tmp_path / "raw.npy", tmp_path / "labels.npy")
    for name, direction in (("a.nii", 1), ("b.nii", -1)):
        nibabel.save(nibabel.Nifti1Image(masks_of(volume()).T, np.diag([direction, 1, 1, 1])), tmp_path / name)
    with pytest.raises(ValueError, match=r"'a\.nii' in RAS, but 'b\.nii' in LAS"):
        read_volume(tmp_path / "a.nii", tmp_path / "b.nii")


def test_read_folder_pairs_images_of_double_endings_and_says_where_axes_are_missing(tmp_path):
    for sub, name in (("images", "p.ome.tif"), ("masks", "p.tif")):
        (tmp_path / sub).mkdir()
        tifffile.imwrite(tmp_path / sub / name, masks_of(volume()[0]))
    assert read_folder(tmp_path).names == ("p",)
    assert group_names(["p"], {"p.ome.tif": 7}) == group_names(["p"], {"p.tif": 7}) == (7,)
    raw, labels = _saved(tmp_path / "raw.npy", volume()), _saved(tmp_path / "m.npy", masks_of(volume()[0]))
    with pytest.raises(ValueError, match=r"3 pages of images, 1 of masks in 'm\.npy'\. If an axis is .*`axes='cyx'`"):
        read_volume(raw, labels)
    assert read_volume(raw, labels, axes="cyx").images.shape == (1, 4, 5, 3)


def test_read_volume_says_what_is_there(tmp_path):
    np.save(tmp_path / "raw.npy", volume())
    with pytest.raises(
        FileNotFoundError, match=r"`images` must be one file .*not there; the folder .* holds 'raw\.npy'"
    ):
        read_volume(tmp_path / "row.npy", tmp_path / "raw.npy")
    with pytest.raises(
        FileNotFoundError, match=r"`masks` must be one file .*which is a folder: read it by `read_folder`"
    ):
        read_volume(tmp_path / "raw.npy", tmp_path)


@pytest.mark.parametrize("method", ["per_image", "unit"])
def test_lazy_stack_gives_the_batches_of_one_in_memory(tmp_path, method):
    for sub in ("images", "masks"):
        (tmp_path / sub).mkdir()
        for seed in range(8):
            section = volume(1, 16, 24, "uint16", seed)[0]
            Image.fromarray(section if sub == "images" else masks_of(section)).save(tmp_path / sub / f"{seed}.png")
    batches = []
    for lazy in (False, True):
        stack = read_folder(tmp_path, lazy=lazy)
        assert isinstance(stack.images, LazyArray if lazy else np.ndarray)
        split = split_by_section(downsample(stack, 2), (0, 3), (5, 7))
        assert check_leakage(split).ok
        normalised = split.train.with_images(normalise(split.train.images, method))
        for size in (4, (3, 4, 8)):
            tiles = tile(normalised, size, stride=3).take([5, 0, 3, 2])
            dataset = TileDataset(tiles.images, tiles.masks, batch_size=2, seed=3)
            batches.append([part for index in range(2) for part in dataset[index]])
    for eager, lazy in zip(batches[:2], batches[2:], strict=True):
        for first, second in zip(eager, lazy, strict=True):
            np.testing.assert_array_equal(first, second)


def test_lazy_stack_carries_weights(tmp_path):
    raw = volume(4, 8, 8, "uint16")
    masks = np.where(raw < 60, 255, raw > 150).astype("uint8")
    batches = []
    for lazy in (False, True):
        stack = read_volume(_saved(tmp_path / "r.npy", raw), _saved(tmp_path / "m.npy", masks), ignore=255, lazy=lazy)
        assert isinstance(stack.weights, LazyArray if lazy else np.ndarray)
        small = downsample(stack.take([2, 3, 0, 1]), 2)
        tiles = tile(small, (2, 2, 4)).take([3, 0])
        dataset = TileDataset(
            tiles.images, tiles.masks, weights=tiles.weights, augmentation=Augmentation(rotate90=False)
        )
        batches.append(dataset[0])
        np.testing.assert_array_equal(stack.weights[:][..., 0], masks != 255)
    assert len(batches[0]) == 3
    for eager, lazy in zip(*batches, strict=True):
        np.testing.assert_array_equal(eager, lazy)


def test_lazy_stack_refuses_several_masks_of_one_image(tmp_path):
    for name in ("images/a", "masks/a_1", "masks/a_2"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(masks_of(volume()[0])).save(path)
    assert len(read_folder(tmp_path, pair=("{}", "{}_*"))) == 1
    with pytest.raises(ValueError, match=r"each image must have one mask\. Received: 2 masks of image 'a'"):
        read_folder(tmp_path, pair=("{}", "{}_*"), lazy=True)


def test_lazy_stack_refuses_masks_that_mark_nothing(tmp_path):
    raw = _saved(tmp_path / "r.npy", volume())
    for value, found in ((7, "all foreground"), (0, "all background")):
        masks = _saved(tmp_path / "m.npy", np.full((3, 4, 5), value, "uint8"))
        with pytest.raises(ValueError, match=f"must mark something, and leave something.*3 masks, {found}"):
            refuse_unmarked(read_volume(raw, masks, lazy=True).masks, None)
    masks = _saved(tmp_path / "m.npy", np.full((3, 4, 5), 255, "uint8"))
    with pytest.raises(ValueError, match="without any pixel that has a label"):
        read_volume(raw, masks, ignore=255, lazy=True)


def test_lazy_stack_checks_what_it_reads(tmp_path):
    images = np.ones((3, 4, 4), "float32")
    images[1, 2, 2] = np.nan
    np.save(tmp_path / "raw.npy", images)
    np.save(tmp_path / "labels.npy", masks_of(volume(3, 4, 4)))
    stack = read_volume(tmp_path / "raw.npy", tmp_path / "labels.npy", lazy=True)
    for method in ("per_image", "unit"):
        with pytest.raises(ValueError, match=r"image '1' holds 1 NaN or infinite values"):
            normalise(stack.images, method)[1]
    tiles = tile(stack, 2)
    dataset = TileDataset(tiles.images, tiles.masks, batch_size=4, shuffle=False)
    with pytest.raises(ValueError, match=r"1 of 4 tiles with NaN or infinity, the first at index 7"):
        dataset[1]
    indices = LazyArray.of(np.full((3, 4, 4, 1), 5, "uint8"))
    with pytest.raises(ValueError, match=r"`masks` must hold the class indices 0 to 1 only\. Received: .* 5"):
        TileDataset(LazyArray.of(np.zeros((3, 4, 4, 1), "uint8")), indices)[0]
    with pytest.raises(ValueError, match=r"mask 'labels\[0\]' with 16 values"):
        read_volume(tmp_path / "labels.npy", _saved(tmp_path / "b.npy", np.arange(48).reshape(3, 4, 4)), lazy=True)


def _saved(path, array):
    np.save(path, array)
    return path


def test_stack_leaves_a_memory_map_or_an_hdf5_dataset_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", volume()[..., None])
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["masks"] = masks_of(volume())[..., None] // 9
        stack = Stack(mapped, file["masks"], ("a", "b", "c"))
        assert isinstance(stack.images, LazyArray)
        assert isinstance(stack.take([2, 1]).masks, LazyArray)
        np.testing.assert_array_equal(stack.take([2, 1]).masks[0][..., 0], masks_of(volume())[2] / 9)


def test_batches_of_a_large_file_take_little_memory(tmp_path):
    """512 MB of floats, sparse, of which sections, statistics and tiles of a few batches are in memory."""
    shape = (128, 512, 512, 4)
    for name, dtype, own in (("raw", "float32", shape), ("labels", "uint8", shape[:3])):
        array = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", dtype, own)
        array[:, 3, 5] = 1
        del array
    tracemalloc.start()
    try:
        stack = read_volume(tmp_path / "raw.npy", tmp_path / "labels.npy", lazy=True)
        stack = stack.with_images(normalise(stack.images))
        for size in (128, (8, 64, 64)):
            tiles = tile(stack, size)
            images, masks = TileDataset(tiles.images, tiles.masks, batch_size=4)[0]
            assert (images.shape, masks.shape) == ((4, *tiles.images.shape[1:]), (4, *tiles.masks.shape[1:]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20
