"""The model of a run, opened so that its file can run nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from unetdyn import runs
from unetdyn.inference.loading import open_model_file


def load_model(run: runs.Run | str | Path, custom_objects: Mapping[str, Any] | None = None) -> keras.Model:
    """The model of a run directory, wherever it comes from.

    Its file is looked through first, and Keras' `safe_mode` stays on: it holds classes of Keras and unetdyn, and those
    that you name or have registered yourself, and no code.

    Args:
        run: An open run, or the path of its directory.
        custom_objects: Name → class or function of your own that the model is made of; default none.

    Raises:
        FileNotFoundError: If it is no run directory, or no model was saved.
        ValueError: If the file is damaged, or holds a Lambda or a class of somebody else, which is named.

    Example:
        >>> import tempfile
        >>> from unetdyn.models import UNet
        >>> path = runs.RunWriter(tempfile.mkdtemp()).path
        >>> UNet((16, 16, 1), filters=2, depth=1).save(path / "model.keras")
        >>> load_model(path).input_shape
        (None, 16, 16, 1)
    """
    opened = run if isinstance(run, runs.Run) else runs.open(run)
    file = opened.model_path
    if file is None:
        raise FileNotFoundError(f"`run` must have saved a model. Received: {opened.path}, which has no model.keras.")
    return open_model_file(file, custom_objects)
