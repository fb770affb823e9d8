"""Whether a finished run has the figures of its test: between the end of a training and those it may be killed."""

from unetdyn.runs.reader import Run


def lacks_its_test(run: Run) -> bool:
    """Whether a run was trained to its end, was to be tested, has a model for that, and has no figure of it.

    Args:
        run: Of `unetdyn train`; of any other nobody knows whether it was to be tested.

    Example:
        >>> import tempfile
        >>> from unetdyn.runs import RunWriter, open
        >>> writer = RunWriter(tempfile.mkdtemp(), {"data": {"split": {"test": [5, 5]}}, "fit": {}})
        >>> writer.finish()
        >>> _ = (writer.path / "model.keras").write_bytes(b"weights")
        >>> lacks_its_test(open(writer.path))
        True
        >>> writer.finish("finished", {"test_jaccard": 0.8})
        >>> lacks_its_test(open(writer.path))
        False
    """
    data = run.config.get("data")
    split = data.get("split") if isinstance(data, dict) else None
    if run.status != "finished" or "fit" not in run.config or not isinstance(split, dict) or not split.get("test"):
        return False
    return run.model_path is not None and not any(name.startswith("test_") for name in run.summary)
