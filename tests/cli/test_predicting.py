"""`unetdyn predict`, as a shell would call it, with a model of one pixel: its mask is known."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """p = sigmoid(10 x − 5): above 0.5 where the grey value is above half of its range."""
    import keras

    from unetdyn.inference import InputRecipe, store_input

    file = tmp_path_factory.mktemp("model") / "pixel.keras"
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    network.layers[0].set_weights([np.full((1, 1, 1, 1), 10.0), np.array([-5.0])])
    network.save(file)
    store_input(file, InputRecipe("unit", tile=(16, 16), output="probabilities"))
    return file


def image(seed, size=(20, 24)):
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(image(0)).save(folder / "s2.png", dpi=(300, 300))
    Image.fromarray(image(1)).save(folder / "s10.png")
    tifffile.imwrite(folder / "t.tif", image(2, (16, 16)), resolution=(50, 40), resolutionunit="CENTIMETER")
    Image.fromarray(image(3)).save(folder / "j.jpg")
    return folder


def read(file):
    with Image.open(file) as opened:
        return np.asarray(opened)


def test_a_folder_gives_masks_of_the_same_names_sizes_and_resolution(invoke, model, folder, tmp_path):
    result = invoke("predict", str(model), "images", "-o", "masks")
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in Path("masks").iterdir()) == ["j.png", "s10.png", "s2.png", "t.tif"]
    for name in ("s2", "s10"):
        mask = read(f"masks/{name}.png")
        assert mask.dtype == bool  # one bit
        np.testing.assert_array_equal(mask, read(folder / f"{name}.png") > 127)
    with Image.open("masks/s2.png") as opened:
        assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    with tifffile.TiffFile("masks/t.tif") as file:
        np.testing.assert_array_equal(file.asarray(), image(2, (16, 16)) > 127)
        tags = file.pages.first.tags
        assert (tags["XResolution"].value, tags["YResolution"].value) == ((50, 1), (40, 1))
    assert read("masks.sheet.png").shape[1] > 100
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c.yaml", "images", "masks", "masks.sheet.png"]
    again = invoke("predict", str(model), "images", "-o", "masks")
    assert (again.exit_code, "--overwrite replaces it" in again.output) == (2, True)
    Path("masks/mine.txt").write_text("notes")
    foreign = invoke("predict", str(model), "images", "-o", "masks", "--overwrite")
    assert (foreign.exit_code, "which holds mine.txt" in foreign.output) == (2, True)
    Path("masks/mine.txt").unlink()
    higher = invoke("predict", str(model), "images", "-o", "masks", "--overwrite", "--threshold", "0.9")
    assert higher.exit_code == 0, higher.output
    assert 0 < read("masks/s10.png").sum() < (image(1) > 127).sum()


def test_a_folder_is_carried_on_behind_its_last_file(invoke, model, folder, monkeypatch):
    from unetdyn.experiment import mask_files

    write, left = mask_files.write_section, [1]

    def killed(*arguments):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write(*arguments)

    monkeypatch.setattr(mask_files, "write_section", killed)
    result = invoke("predict", str(model), "images", "-o", "masks")
    assert result.exit_code == 130
    assert "Stopped by SIGINT. The same command carries on." in result.output
    done = list(Path("masks.partial").iterdir())
    assert len(done) == 1
    before = done[0].stat().st_mtime_ns
    Path("masks.partial/.s10-0123abcd.png").touch()  # as a kill leaves what it cuts short
    monkeypatch.setattr(mask_files, "write_section", write)
    other = invoke("predict", str(model), "images", "-o", "masks", "--overlap", "0.25")
    assert (other.exit_code, "`out` is half done with another `overlap`" in other.output) == (2, True)
    assert invoke("predict", str(model), "images", "-o", "masks").exit_code == 0
    assert (Path("masks") / done[0].name).stat().st_mtime_ns == before
    assert len(list(Path("masks").iterdir())) == 4


def test_a_stack_gives_a_stack_with_its_voxels(invoke, model):
    import keras

    stack = np.stack([image(0), image(1)])
    voxels = {"axes": "ZYX", "spacing": 50, "unit": "nm"}
    tifffile.imwrite("stack.tif", stack, imagej=True, resolution=(0.25, 0.25), metadata=voxels)
    result = invoke("predict", str(model), "stack.tif", "-o", "masks.tif", "--reduce", "probabilities")
    assert result.exit_code == 0, result.output
    with tifffile.TiffFile("masks.tif") as file:
        p = file.asarray()
        assert 'PhysicalSizeX="4.0"' in file.ome_metadata
        assert 'PhysicalSizeZ="50.0"' in file.ome_metadata
    np.testing.assert_allclose(p, 1 / (1 + np.exp(5 - 10 * (stack / 255))), rtol=1e-5)
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    network.layers[0].set_weights([np.full((1, 1, 1, 1), 10.0), np.array([-5.0])])
    network.save("logits.keras")
    arguments = ("logits.keras", "stack.tif", "-o", "logits.npy", "--reduce", "logits", "--normalise", "unit")
    result = invoke("predict", *arguments, "--tile", "16")
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(np.load("logits.npy"), 10 * (stack / 255) - 5, atol=1e-4)
    single = invoke("predict", str(model), "stack.tif", "-o", "mask.png")
    assert single.exit_code == 2
    assert "OUT must end in .npy, .tif, .tiff, .zarr, .nii or .mrc for a stack" in single.output


def test_images_are_made_smaller_as_for_the_training_and_masks_large_again(invoke, model, folder):
    import shutil

    from unetdyn.inference import InputRecipe, store_input

    shutil.copy(model, "half.keras")
    store_input("half.keras", InputRecipe("unit", downsample=2, tile=(16, 16), output="probabilities"))
    odd = image(5, (21, 24))
    Image.fromarray(odd).save("odd.png")
    np.save("odd.npy", odd[None])
    assert invoke("predict", "half.keras", "odd.png", "-o", "mask.png").exit_code == 0
    assert invoke("predict", "half.keras", "odd.npy", "-o", "mask.npy").exit_code == 0
    means = np.rint(odd[:20].reshape(10, 2, 12, 2).mean(axis=(1, 3)))
    expected = np.repeat(np.repeat(means > 127, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(read("mask.png"), np.concatenate([expected, expected[-1:]]))
    np.testing.assert_array_equal(np.load("mask.npy"), read("mask.png"))
    assert not list(Path().glob("*.partial")) + list(Path().glob("*.small.npy"))


def test_what_does_not_fit_the_model_is_one_sentence(invoke, model):
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save("colour.png")
    result = invoke("predict", str(model), "colour.png", "-o", "mask.png")
    assert result.exit_code == 2
    assert "must have 1 channel, as the model takes" in result.output
    assert "Traceback" not in result.output
    assert not Path("mask.png").exists()


def test_a_file_of_a_folder_that_does_not_fit_is_named_before_any_other_is_predicted(invoke, model, folder):
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(folder / "colour.png")
    result = invoke("predict", str(model), "images", "-o", "masks")
    assert result.exit_code == 2
    assert f"Error: {Path('images/colour.png')} does not fit the model. `source` must have 1 channel" in result.output
    assert not list(Path().glob("masks*"))


def test_images_are_not_replaced_by_their_masks(invoke, model, folder):
    np.save("stack.npy", image(0))
    for file in ("images/s2.png", "stack.npy"):
        before = Path(file).read_bytes()
        result = invoke("predict", str(model), file, "-o", f"images/../{file}", "--overwrite")
        assert (result.exit_code, "OUT must be another file than IMAGES" in result.output) == (2, True)
        assert Path(file).read_bytes() == before


@pytest.mark.parametrize(
    "error", [RuntimeError("RESOURCE_EXHAUSTED: no 8 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_that_runs_out_in_the_first_batch_is_one_sentence(invoke, model, folder, monkeypatch, error):
    def failing(*_arguments):
        raise error

    monkeypatch.setattr("unetdyn.inference.called_model.CalledModel.start", failing)
    result = invoke("predict", str(model), "images", "-o", "masks")
    assert result.exit_code == 2
    assert f"Error: Memory ran out; a smaller --batch-size or --tile needs less. {error}" in result.output


def test_of_several_classes_the_largest_is_written(invoke, folder):
    import keras

    from unetdyn.inference import InputRecipe, store_input

    network = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Conv2D(3, 1, activation="softmax")])
    network.layers[0].set_weights([np.array([0.0, 10, 5]).reshape(1, 1, 1, 3), np.array([0.0, -5, -9])])
    network.save("classes.keras")
    store_input("classes.keras", InputRecipe("unit", output="probabilities"))
    refused = invoke("predict", "classes.keras", "images", "-o", "masks", "--reduce", "probabilities")
    assert (refused.exit_code, "An image file holds one value a pixel" in refused.output) == (2, True)
    assert not list(Path().glob("masks*"))
    assert invoke("predict", "classes.keras", "images", "-o", "masks").exit_code == 0
    np.testing.assert_array_equal(read("masks/s2.png"), (image(0) > 127).astype(np.uint8))
    np.save("stack.npy", image(0)[None])
    for factor in (1, 2):
        store_input("classes.keras", InputRecipe("unit", downsample=factor, output="probabilities"))
        colours = invoke("predict", "classes.keras", "stack.npy", "-o", "p.tif", "--reduce", "probabilities")
        assert (colours.exit_code, "must end in .npy or .zarr for several values" in colours.output) == (2, True)
        assert not list(Path().glob("p.tif*"))
    assert read("masks/s2.png").dtype == np.uint8


def test_a_model_in_3d_takes_a_folder_as_a_volume(invoke):
    import keras

    from unetdyn.inference import InputRecipe, store_input

    network = keras.Sequential([keras.Input((None, None, None, 1)), keras.layers.Conv3D(1, (3, 1, 1), padding="same")])
    network.layers[0].set_weights([np.array([1.0, 0, 0]).reshape(3, 1, 1, 1, 1), np.zeros(1)])
    network.save("deep.keras")
    store_input("deep.keras", InputRecipe("unit", tile=(4, 16, 16), output="probabilities"))
    Path("stack").mkdir()
    for place in range(4):
        Image.fromarray(image(place)).save(f"stack/s{place}.png")
    result = invoke("predict", "deep.keras", "stack", "-o", "masks")
    assert result.exit_code == 0, result.output
    assert not read("masks/s0.png").any()  # the section before it is none
    for place in (1, 2, 3):
        np.testing.assert_array_equal(read(f"masks/s{place}.png"), image(place - 1) > 127)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["images", "-o", "masks.tif"], "OUT must be a folder where IMAGES is one"),
        (["images", "-o", "images"], "OUT must be another folder than IMAGES"),
        (["images", "-o", "absent/masks"], "OUT must lie in a folder that is there"),
        (["absent", "-o", "masks"], "IMAGES must be a folder of images, or a file"),
        (["c.yaml", "-o", "masks.pdf"], "must end in one of .npy"),
        (["images", "-o", "masks", "--tile", "big"], "is no number of pixels"),
        (["images", "-o", "masks", "--threshold", "2"], "neither `best` nor a number from 0 to 1"),
        (["images", "-o", "masks", "--normalise", "unity"], "Did you mean 'unit'?"),
        (["images", "-o", "masks", "--threshold", "best"], "which has none: run `unetdyn evaluate` first"),
    ],
)
def test_errors_come_before_the_model_is_loaded(invoke, model, folder, arguments, words, monkeypatch):
    from unetdyn.experiment.applied import Applied

    monkeypatch.setattr(Applied, "load", lambda *arguments, **options: pytest.fail("it was loaded"))
    result = invoke("predict", str(model), *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_a_model_that_is_not_there_is_one_sentence(invoke, folder):
    result = invoke("predict", "absent", "images", "-o", "masks")
    assert (result.exit_code, "must be a run directory" in result.output) == (2, True)
    assert len(result.output.strip().splitlines()) == 1
