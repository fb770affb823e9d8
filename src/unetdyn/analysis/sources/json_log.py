"""A history in JSON: a dictionary of lists, a list of dictionaries, or one dictionary a line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn._checks import is_number
from unetdyn.analysis.history_logs import Frequency, read_logs
from unetdyn.analysis.log_names import with_keras_names
from unetdyn.analysis.log_table import Columns, Row, curves_of_rows
from unetdyn.runs import strict_json

_EXPECTED = "a dictionary of lists, as `history.history` is, or a list of dictionaries, one an epoch"


def read_json(path: Path, validation_freq: Frequency | None = None) -> Columns:
    """Name → (epochs, values) of the last training in a JSON file.

    It may be a dictionary of lists (a History's, also under the key `history`), a list of dictionaries (rows of W&B,
    also under `log_history`, where Hugging Face has them), what pandas writes, or JSON lines. null is not logged.

    Args:
        path: Of the file.
        validation_freq: See `read_history`; only a dictionary of lists needs it.

    Raises:
        ValueError: If it is no JSON, or of another form.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "history.json"
        >>> _ = path.write_text('[{"epoch": 0, "loss": 0.9}, {"epoch": 1, "loss": 0.5, "val_loss": 0.6}]')
        >>> read_json(path)["val_loss"]
        (array([1]), array([0.6]))
    """
    content = _content(path)
    for key in ("history", "log_history"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping | list):
            around, content = content, content[key]
            if isinstance(content, Mapping) and isinstance(around.get("epoch"), list):
                content = {"epoch": around["epoch"], **content}
    if isinstance(content, Mapping) and {"columns", "data"} <= set(content):  # pandas, orient="split"
        content = [dict(zip(content["columns"], row, strict=False)) for row in _lists(path, content["data"])]
    try:
        if isinstance(content, list):
            return rows_of_dictionaries(content, path.name)
        if isinstance(content, Mapping) and content and all(isinstance(each, Mapping) for each in content.values()):
            content = {name: list(values.values()) for name, values in content.items()}  # pandas, by row
        if isinstance(content, Mapping) and any(isinstance(each, list) for each in content.values()):
            lists = {name: each for name, each in content.items() if isinstance(each, list)}
            return read_logs(with_keras_names(lists), None, validation_freq)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    raise ValueError(f"{path} must hold {_EXPECTED}. Received: {str(content)[:80]}.")


def rows_of_dictionaries(rows: list[Any], source: str) -> Columns:
    """The curves of a list of dictionaries, whose numbers count.

    >>> rows_of_dictionaries([{"loss": 0.9, "note": "a"}, {"loss": 0.5}], "rows")["loss"]
    (array([0, 1]), array([0.9, 0.5]))
    """
    wrong = [row for row in rows if not isinstance(row, Mapping)]
    if wrong:
        raise ValueError(f"{source} must be {_EXPECTED}. Received: {str(wrong[0])[:80]} among the rows.")
    numbers: list[Row] = [{str(name): float(value) for name, value in row.items() if is_number(value)} for row in rows]
    curves = curves_of_rows(numbers, source)
    if not curves:
        raise ValueError(f"{source} must hold numbers under names such as loss. Received: {str(rows)[:80]}.")
    return curves


def _content(path: Path) -> Any:
    content = path.read_bytes()
    try:
        return strict_json.loads(content)
    except ValueError as error:
        whole, _, last = content.rstrip(b"\n").rpartition(b"\n")
        try:
            lines = [strict_json.loads(line) for line in whole.splitlines() if line.strip()]
        except ValueError:
            lines = []
        if not lines:
            raise ValueError(f"{path} must be JSON. It is not: {error}.") from error
    try:
        return [*lines, strict_json.loads(last)]
    except ValueError:
        return lines  # the last line was not written to its end


def _lists(path: Path, rows: Any) -> list[list[Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError(f"{path} must hold {_EXPECTED}. Received: data={str(rows)[:80]}.")
    return rows
