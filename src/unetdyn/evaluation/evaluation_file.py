"""An evaluation as a file, such as `evaluation.json` in a run directory."""

from pathlib import Path

from unetdyn.evaluation.record import Evaluation
from unetdyn.runs.atomic import replacing
from unetdyn.runs.strict_json import dumps, loads


def write_evaluation(evaluation: Evaluation, path: str | Path) -> None:
    """Write it as strict JSON, all at once: a kill leaves the old file or the new one.

    Args:
        evaluation: What `evaluate_sections` found.
        path: The file to make or replace; its folder must exist.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from unetdyn.evaluation import evaluate_sections
        >>> masks = np.arange(48).reshape(3, 4, 4) % 3 == 0
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "evaluation.json"
        >>> write_evaluation(evaluate_sections(masks * 0.9, masks), file)
        >>> read_evaluation(file).whole["jaccard"].value
        1.0
    """
    with replacing(path) as temporary:
        temporary.write_text(dumps(evaluation.to_dict(), indent=1), encoding="utf-8")


def read_evaluation(path: str | Path) -> Evaluation:
    """Read what `write_evaluation` wrote.

    Args:
        path: The file.

    Returns:
        The `Evaluation`, NaN and infinity as they were.

    Raises:
        ValueError: If it is no such file, or of another version.
        FileNotFoundError: If it is not there.
    """
    try:
        return Evaluation.from_dict(loads(Path(path).read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path} holds no evaluation: {error}") from None
