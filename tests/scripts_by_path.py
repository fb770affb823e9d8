"""The scripts beside the package, in docs/ and benchmarks/, as modules."""

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def docs_module(name):
    """One of docs/; what it adds to the path of modules for what it imports is gone afterwards."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    path = sys.path.copy()
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


@contextmanager
def benchmarks_importable():
    """Inside of it, `import` finds what is in benchmarks/."""
    path = sys.path.copy()
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        yield
    finally:
        sys.path[:] = path
