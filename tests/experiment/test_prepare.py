"""From `data` in the configuration to tiles, and what is refused on the way."""

import inspect
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from unetdyn import data
from unetdyn.data.datasets import DATASETS
from unetdyn.experiment import ConfigError, parse_config, run_experiment
from unetdyn.experiment.data_config import AugmentationConfig, FetchData
from unetdyn.experiment.prepare import check_classes, prepare
from unetdyn.report import FlipMapDisplay

pytestmark = pytest.mark.usefixtures("untraced")


def folder(path, sections=6, size=32, mask=None):
    """Images and masks on disk; `mask(i)` gives the i-th mask."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (path / name).mkdir()
    for i in range(sections):
        Image.fromarray(rng.integers(0, 255, (size, size), dtype=np.uint8)).save(path / "images" / f"{i:02d}.png")
        values = 255 * (rng.random((size, size)) < 0.3) if mask is None else mask(i)
        Image.fromarray(values.astype(np.uint8)).save(path / "masks" / f"{i:02d}.png")
    return path


def config_for(path, **more):
    split = {"train": [0, 2], "validation": [4, 4], "test": None}
    return parse_config(
        {
            "data": {"kind": "folder", "path": str(path), "tile": 16, "split": split, **more.pop("data", {})},
            "model": {"filters": 2, "depth": 1, **more.pop("model", {})},
            "fit": {"epochs": 1},
            **more,
        }
    )


def test_prepare_cuts_the_sections_of_each_part(tmp_path):
    prepared = prepare(config_for(folder(tmp_path), data={"stride": 8}))
    # three training sections of 32 pixels: 3 x 3 positions of a tile of 16 at a stride of 8; validation: 2 x 2
    assert (len(prepared.train.images), len(prepared.validation.images), prepared.test) == (27, 4, None)
    assert prepared.channels == 1
    part = data.normalise(data.read_folder(tmp_path).take([4]).images)
    np.testing.assert_array_equal(prepared.validation.images[0], part[0, :16, :16])


def fetching(**more):
    source = {"kind": "fetch", "name": "vnc", "tile": 16, "split": {"train": [0, 2], "validation": [4, 4]}, **more}
    return parse_config({"data": source, "model": {"filters": 2, "depth": 1}, "fit": {"epochs": 1}})


def test_prepare_fetches_a_published_data_set(tmp_path, monkeypatch):
    (tmp_path / "train").mkdir()
    from_folder = prepare(config_for(folder(tmp_path / "train")))
    fetched = {("vnc", True): data.Fetched("vnc", tmp_path)}
    monkeypatch.setattr(data, "fetch", lambda name, accept_licence: fetched[name, accept_licence])
    np.testing.assert_array_equal(prepare(fetching(accept_licence=True)).train.images, from_folder.train.images)
    with pytest.raises(
        ValueError, match=r"`data\.part` must be one of 'train'\. Received: data\.part='trian'\. Did you"
    ):
        prepare(fetching(accept_licence=True, part="trian"))


def test_prepare_fetches_nothing_before_its_licence_is_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("UNETDYN_DATA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"`data\.accept_licence` must be True .*CC BY-NC-SA 3\.0"):
        prepare(fetching())
    assert not (tmp_path / "cache").exists()


def test_configuration_knows_every_data_set_that_is_fetched():
    assert get_args(FetchData.model_fields["name"].annotation) == tuple(DATASETS)


@pytest.mark.parametrize(("method", "deviation"), [("per_image", 1.0), ("unit", 0.288)])  # uniform greys: 1 / √12
def test_prepare_adds_noise_to_training_images_alone(tmp_path, method, deviation):
    plain = prepare(config_for(folder(tmp_path, size=64), data={"normalise": method}))
    still = {"flip": False, "rotate90": False}
    noisy = prepare(config_for(tmp_path, data={"normalise": method, "augmentation": {**still, "noise": 0.5}}))

    def batches(prepared):
        return np.concatenate([prepared.train[index][0] for index in range(len(prepared.train))])

    noise = batches(noisy) - batches(plain)
    assert noise.std() == pytest.approx(0.5 * deviation, rel=0.03)
    assert abs(noise.mean()) < 0.02
    np.testing.assert_array_equal(batches(noisy), batches(noisy))
    for index in range(len(noisy.train)):
        np.testing.assert_array_equal(noisy.train[index][1], plain.train[index][1])
    np.testing.assert_array_equal(noisy.validation[0][0], plain.validation[0][0])


def test_prepare_downsamples_before_it_cuts(tmp_path):
    prepared = prepare(config_for(folder(tmp_path), data={"downsample": 2}))
    assert prepared.validation.images.shape == (1, 16, 16, 1)


def test_prepare_reads_the_published_masks_with_their_greys(vnc_mito):
    """The published masks hold greys between background and object, and three of them are 1-bit."""
    chosen = {"masks": "masks_upstream", "mask_threshold": 0.5, "downsample": 4, "tile": 64}
    published, cleaned = (
        prepare(config_for(vnc_mito, data={**extra, "split": {"validation": 0.2}}))
        for extra in (chosen, {**chosen, "masks": "masks"})
    )
    np.testing.assert_array_equal(published.validation.masks, cleaned.validation.masks)
    np.testing.assert_array_equal(published.train.masks, cleaned.train.masks)


def renamed(path, name):
    """The sections under other names: `name(i)` for the i-th."""
    for i in range(6):
        for sub in ("images", "masks"):
            target = path / sub / f"{name(i)}.png"
            target.parent.mkdir(exist_ok=True)
            (path / sub / f"{i:02d}.png").rename(target)
    return path


def test_prepare_pairs_by_patterns_and_reads_sub_folders(tmp_path):
    path = renamed(folder(tmp_path), lambda i: f"p{i // 2}/image_{i}")
    for mask in list((path / "masks").rglob("*.png")):
        mask.rename(mask.with_name(mask.name.replace("image", "mask")))
    prepared = prepare(config_for(path, data={"pair": ["image_{}", "mask_{}"], "recursive": True}))
    part = data.normalise(data.read_stack(path / "images", recursive=True)[0][4:5])
    np.testing.assert_array_equal(prepared.validation.images[0], part[0, :16, :16])


PATTERN = {"groups": r"^(p\d)_"}
TABLE = {"groups_table": "patients.csv", "groups_column": "patient"}


@pytest.mark.parametrize("groups", [PATTERN, TABLE])
def test_prepare_keeps_groups_whole(tmp_path, groups):
    path = renamed(folder(tmp_path), lambda i: f"p{i % 3}_{i}")
    rows = [f"p{i % 3}_{i}.png,{i % 3}" for i in range(6)]
    (path / "patients.csv").write_text("\n".join(["file,patient", *rows]))
    prepared = prepare(config_for(path, data={"split": {"validation": 0.3, **groups}}))
    assert [len(part.images) for part in (prepared.train, prepared.validation)] == [16, 8]
    with pytest.raises(ValueError, match=r"Group 'p?1' gives 1 sections to train and 1 to validation"):
        prepare(config_for(path, data={"split": {"train": [0, 2], "validation": [3, 3], **groups}}))


@pytest.mark.parametrize(
    "groups", [{**PATTERN, **TABLE}, {"groups_table": "patients.csv"}, {"groups_column": "patient"}]
)
def test_parse_config_refuses_groups_from_two_places(tmp_path, groups):
    with pytest.raises(ConfigError, match=r"`data\.split`: give groups as a pattern in `groups`, or as `groups_table`"):
        config_for(tmp_path, data={"split": {"validation": 0.3, **groups}})


@pytest.mark.parametrize("lazy", [False, True])
def test_run_experiment_a_part_without_labels_is_refused(tmp_path, lazy):
    path = folder(tmp_path, mask=lambda i: np.full((32, 32), 255) if i == 4 else np.eye(32))
    text = "Received: 1 sections of validation from '04' on, whose masks hold nothing but the value of `data.ignore`"
    refused(config_for(path, data={"ignore": 255, "lazy": lazy}), text)


def test_parse_config_refuses_quarter_turns_of_oblong_tiles(tmp_path):
    oblong = {"tile": [2, 16, 32], "augmentation": {"rotate90": False}}
    assert config_for(tmp_path, data=oblong).data.tile == (2, 16, 32)
    with pytest.raises(ConfigError, match=r"`data`: quarter turns need .*`augmentation\.rotate90`.*\[2, 16, 32\]"):
        config_for(tmp_path, data={**oblong, "augmentation": {"flip": True}})


def test_configuration_knows_every_setting_of_augmentation_with_its_default():
    arguments = dict(inspect.signature(data.Augmentation).parameters)
    assert arguments.pop("seed").default == 0
    fields = AugmentationConfig.model_fields
    assert {name: argument.default for name, argument in arguments.items()} == {
        name: field.default for name, field in fields.items()
    }


@pytest.mark.parametrize(
    ("augmentation", "text"),
    [
        ({"elastic": 5}, r"at most an eighth of `elastic_spacing`.*elastic=5, elastic_spacing=32"),
        ({"blur": 4.5}, r"at most a quarter of the side of `tile`.*blur=4\.5, tile=16"),
        ({"shear": 70}, r"`data\..*shear`"),
        ({"elastik": 1}, "Did you mean 'elastic'"),
    ],
)
def test_parse_config_refuses_augmentation_that_does_not_fit(tmp_path, augmentation, text):
    with pytest.raises(ConfigError, match=text):
        config_for(tmp_path, data={"augmentation": augmentation})


def test_run_experiment_a_table_that_is_not_there_is_refused(tmp_path):
    path = folder(tmp_path)
    refused(
        config_for(path, data={"split": {"validation": 0.3, **TABLE}}), "a table of the images' groups", "patients.csv"
    )


@pytest.mark.parametrize(
    ("data_keys", "text"),
    [
        ({"tile": 64}, "`data.tile` must be at most the sections' shorter side, 32 pixels. Received: data.tile=64"),
        ({"stride": 17}, "`data.stride` must be at most `data.tile`"),
        ({"downsample": 5}, "`data.downsample` must divide the sections' height and width"),
        ({"tile": [4, 16, 16]}, "`data.tile` must have at most as many sections as adjoin"),
        ({"mask_threshold": 0.5, "foreground": "nonzero"}, "`data.mask_threshold` and `data.foreground` must not"),
        ({"split": {"validation": 0.9, "test": 0.2}}, "`data.split.validation` and `data.split.test` must leave"),
    ],
)
def test_run_experiment_names_the_keys_of_the_configuration(tmp_path, data_keys, text):
    refused(config_for(folder(tmp_path), data=data_keys), text)


def test_run_experiment_names_the_keys_that_a_hint_is_about(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.repeat([0, 1, 255, 0], [8, 8, 8, 8])[:, None] + np.zeros(32))
    refused(config_for(path), "With `model.classes=1` a mask must hold 0 and one other", "pass `data.ignore=255`")


def test_run_experiment_a_pattern_that_is_none_is_refused(tmp_path):
    refused(config_for(folder(tmp_path), data={"split": {"validation": 0.3, "groups": "(p"}}), "a regular expression")
    refused(config_for(tmp_path, data={"pair": ["a", "b"]}), "`data.pair` must be two patterns")


def test_prepare_augments_training_tiles_only(tmp_path):
    path = folder(tmp_path)
    plain = prepare(config_for(path))
    augmented = prepare(config_for(path, data={"augmentation": {"flip": True}}))
    assert not np.array_equal(plain.train[0][0], augmented.train[0][0])
    np.testing.assert_array_equal(plain.validation[0][0], augmented.validation[0][0])


def refused(config, *texts):
    """Before anything trains, and in one sentence."""
    with pytest.raises(ConfigError) as caught:
        run_experiment(config)
    for text in texts:
        assert text in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_run_experiment_wrong_path_is_refused(tmp_path):
    refused(config_for(tmp_path / "nowhere"), "`path` must be a folder that holds 'images' and 'masks'", "nowhere")


def test_run_experiment_empty_folder_is_refused(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    refused(config_for(tmp_path), "images", ".png")


def test_run_experiment_sizes_that_differ_are_refused(tmp_path):
    path = folder(tmp_path)
    Image.new("L", (30, 32)).save(path / "masks" / "03.png")
    refused(config_for(path), "An image and its mask must have the same size", "'03' of 32×32 pixels", "mask of 32×30")


def test_run_experiment_nan_image_is_refused(tmp_path):
    import tifffile

    path = folder(tmp_path)
    images = np.ones((6, 32, 32), np.float32)
    images[2, 3, 4] = np.nan
    for i, image in enumerate(images):
        (path / "images" / f"{i:02d}.png").unlink()
        tifffile.imwrite(path / "images" / f"{i:02d}.tif", image)
    refused(config_for(path), "02", "NaN")


def test_run_experiment_mask_with_three_values_is_refused(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.arange(32 * 32).reshape(32, 32) % 3)
    refused(config_for(path), "mask '00' with 3 values (0, 1, 2)", "`model.classes=3`")


def test_run_experiment_masks_with_fewer_classes_than_the_model_are_refused(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.arange(32 * 32).reshape(32, 32) % 3)
    config = config_for(path, model={"classes": 4}, loss={"kind": "sparse_categorical_crossentropy"})
    refused(config, "classes=4, but the largest class index in the 6 masks is 2", "Pass `model.classes=3`")


def test_run_experiment_masks_with_more_classes_than_the_model_are_refused(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.arange(32 * 32).reshape(32, 32) % 3)
    config = config_for(path, model={"classes": 2}, loss={"kind": "sparse_categorical_crossentropy"})
    refused(config, "class indices 0 to 1 only", "mask '00' with 3 values (0, 1, 2)", "`model.classes=3`")


def test_run_experiment_more_classes_than_synthetic_masks_have_are_refused():
    config = parse_config(
        {
            "data": {"kind": "synthetic", "sections": 5, "size": 64, "tile": 32},
            "model": {"classes": 3},
            "loss": {"kind": "sparse_categorical_crossentropy"},
        }
    )
    refused(config, "`model.classes` must fit the masks, which hold the values 0 to 1", "set model.classes=1")


def test_run_experiment_empty_masks_are_refused(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.zeros((32, 32)))
    refused(config_for(path), "The masks must mark something", "6 masks, all background")


def test_run_experiment_masks_that_are_all_foreground_are_refused(tmp_path):
    path = folder(tmp_path, mask=lambda _: np.full((32, 32), 255))
    refused(config_for(path), "The masks must mark something, and leave something", "6 masks, all foreground")


def test_check_classes_refuses_what_is_all_foreground():
    masks = np.ones((2, 4, 4, 1), "uint8")
    with pytest.raises(ValueError, match="2 masks, all foreground"):
        check_classes(data.Stack(masks, masks, ("a", "b")), 1)


def test_prepare_gives_unlabelled_pixels_the_weight_zero_in_every_part(tmp_path):
    void = np.zeros((32, 32), bool)
    void[:7] = True
    path = folder(tmp_path, mask=lambda i: np.where(void, 255, np.arange(32) > 3 * i))
    refused(config_for(path), "mask '00' with 3 values (0, 1, 255)", "pass `data.ignore=255`")
    prepared = prepare(config_for(path, data={"ignore": 255, "downsample": 2, "augmentation": {"rotation": 90}}))
    _, masks, weights = prepared.validation[0]
    expected = np.ones((1, 16, 16, 1))
    expected[:, :3] = 0  # rows 0 to 5; of 6 and 7, half the pixels have a label, which is enough
    np.testing.assert_array_equal(weights, expected)
    assert masks[:, :3].sum() == 0
    assert masks.sum() == 13 * 10  # the section's columns above 12, in pairs
    moved = np.asarray(prepared.train[0][2])
    assert set(np.unique(moved)) == {0, 1}
    assert not (moved == expected).all()


def test_prepare_makes_foreground_of_all_objects(tmp_path):
    path = folder(tmp_path, mask=lambda i: np.kron(np.arange(16).reshape(4, 4), np.ones((8, 8))) * (i + 1))
    prepared = prepare(config_for(path, data={"foreground": "nonzero"}))
    assert prepared.validation.masks.mean() == pytest.approx(15 / 16)


def test_run_experiment_tile_larger_than_the_section_is_refused(tmp_path):
    refused(config_for(folder(tmp_path), data={"tile": 64}), "64", "32")


def test_run_experiment_split_outside_the_stack_is_refused(tmp_path):
    path = folder(tmp_path)
    refused(config_for(path, data={"split": {"train": [0, 3], "validation": [5, 9]}}), "9")


def test_run_experiment_refuses_a_used_run_directory(tmp_path):
    path = folder(tmp_path)
    (path / "run").mkdir()
    (path / "run" / "notes.txt").write_text("mine")
    refused(config_for(path, run_directory=str(path / "run")), "run")
    assert (path / "run" / "notes.txt").read_text() == "mine"


def test_run_experiment_a_refused_configuration_leaves_no_run_directory(tmp_path):
    config = config_for(tmp_path / "nowhere", run_directory=str(tmp_path / "run"))
    refused(config, "nowhere")
    assert not (tmp_path / "run").exists()


def test_run_experiment_trains_in_3d_with_monitors_of_images(tmp_path):
    config = parse_config(
        {
            "data": {
                "kind": "synthetic",
                "sections": 8,
                "size": 64,
                "downsample": 2,
                "tile": [2, 16, 16],
                "split": {"train": [0, 3], "validation": [5, 7]},
                "augmentation": {"noise": 0.1},
            },
            "model": {"architecture": "UNet", "filters": 2, "depth": 1},
            "fit": {"epochs": 2, "batch_size": 4},
            "callbacks": {"gradient": None, "update": None, "noise_scale": None},  # these see weights, not images
            "run_directory": str(tmp_path / "run"),
        }
    )
    run = run_experiment(config)
    assert np.isfinite([epoch[key] for epoch in run.epochs for key in ("loss", "val_loss", "val_jaccard")]).all()
    flips = run.arrays("flips")
    assert flips["flip_count"].shape[1:] == flips["target"].shape[1:] == (2, 16, 16)
    assert FlipMapDisplay.from_run(run).plot().figure_ is not None
    assert run.predictions.probability(1).shape[1:] == (16, 16)  # the section in the middle


def test_prepare_cuts_blocks_and_leaves_sections_on_disk(tmp_path):
    rng = np.random.default_rng(0)
    raw, labels = rng.integers(0, 255, (8, 20, 24), "uint8"), rng.integers(0, 2, (8, 20, 24), "uint8")
    np.savez(tmp_path / "a.npz", raw=raw, labels=labels)
    np.save(tmp_path / "raw.npy", raw[None, :, :, :])
    np.save(tmp_path / "labels.npy", labels)
    common = {"tile": [2, 8, 8], "stride": [1, 8, 8], "split": {"train": [0, 3], "validation": [5, 7]}}
    in_memory = {"images": "a.npz::raw", "masks": "a.npz::labels"}
    on_disk = {"images": "raw.npy", "masks": "labels.npy", "axes": "czyx", "lazy": True}
    for method in ("per_image", "unit"):
        extra = {**common, "normalise": method, "augmentation": {"noise": 0.1, "flip": False}}
        eager, lazy = (prepare(config_for(tmp_path, data={**extra, **one})) for one in (in_memory, on_disk))
        assert isinstance(lazy.train.images, data.LazyArray)
        assert eager.train.images.shape == (3 * 3 * 3, 2, 8, 8, 1)
        for one, other in ((eager.train, lazy.train), (eager.validation, lazy.validation)):
            for first, second in zip(one[0], other[0], strict=True):
                np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("tile", [[16, 16], [0, 16, 16], [2, 16, 16, 1]])
def test_parse_config_refuses_tiles_that_are_no_blocks(tmp_path, tile):
    with pytest.raises(ConfigError, match=r"data\.(folder\.)?tile"):
        config_for(tmp_path, data={"tile": tile})


def test_run_experiment_without_the_package_of_a_format_is_refused(tmp_path, monkeypatch):
    import sys

    (tmp_path / "images.nii").touch()
    (tmp_path / "masks.nii").touch()
    monkeypatch.setitem(sys.modules, "nibabel", None)
    refused(config_for(tmp_path), "needs the package 'nibabel'", "pip install 'unetdyn[formats]'")
