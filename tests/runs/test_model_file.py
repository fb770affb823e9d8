"""What a saved model would make, told by name before it is opened."""

import json
import zipfile

import keras
import pytest

from unetdyn.losses import BinaryFocalLoss
from unetdyn.metrics import ThresholdedJaccard
from unetdyn.models import AttentionResUNet
from unetdyn.runs import RunError
from unetdyn.runs.model_file import check_model_file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "model.keras"


def described(file, **layer):
    """A file whose description asks for this layer."""
    whole = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}, "registered_name": None}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(whole))


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_our_models_are_let_through(file, norm):
    model = AttentionResUNet((16, 16, 1), filters=2, depth=1, norm=norm)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 9)),
        BinaryFocalLoss(2.0),
        [ThresholdedJaccard()],
    )
    model.save(file)
    check_model_file(file)


def test_operations_of_keras_are_let_through(file):
    inputs = keras.Input((4,))
    outputs = keras.ops.concatenate([keras.ops.relu(inputs)[:, 1:3] * 2, inputs[..., :2]], -1) + inputs
    keras.Model(inputs, outputs).save(file)
    check_model_file(file)


def test_lambda_is_refused_by_name(file):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)]).save(file)
    with pytest.raises(RunError, match=r"is not opened: it holds a Lambda, which would run code that came"):
        check_model_file(file)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ({"module": "os", "class_name": "system", "config": {}, "registered_name": None}, "os.system"),
        ({"module": "builtins", "class_name": "eval", "config": "x", "registered_name": None}, "builtins.eval"),
        ({"module": "builtins", "class_name": "function", "config": "f", "registered_name": "function"}, "builtins.f"),
        ({"module": None, "class_name": "Mine", "config": {}, "registered_name": "lab>Mine"}, "lab>Mine"),
        ({"module": "keras_evil", "class_name": "X", "config": {}, "registered_name": None}, "keras_evil.X"),
        ({"module": 5, "class_name": "X", "config": {}, "registered_name": 5}, "5.X"),
    ],
)
def test_class_of_somebody_else_is_refused_by_name(file, layer, name):
    described(file, **layer)
    with pytest.raises(RunError, match=rf"is not opened: it holds {name}, which is of neither Keras nor unetdyn"):
        check_model_file(file)
    check_model_file(file, known={layer["class_name"], layer["config"] if isinstance(layer["config"], str) else ""})


@pytest.mark.parametrize("kind", ["Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__"])
def test_what_would_run_code_is_refused_at_any_depth(file, kind):
    inner = {"module": "keras.layers", "class_name": kind, "config": {}, "registered_name": None}
    described(file, module="keras.layers", class_name="TimeDistributed", config={"layer": inner}, registered_name=None)
    with pytest.raises(RunError, match=rf"it holds a {kind}, which would run code"):
        check_model_file(file)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n", b"PK\x03\x04 torn"])
def test_file_of_another_kind_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"must be a `.keras` file. It is damaged, or of another kind: "):
        check_model_file(file)


def test_description_without_end_is_not_read(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (65 * 2**20))
    with pytest.raises(RunError, match="its description has 68157440 bytes"):
        check_model_file(file)
