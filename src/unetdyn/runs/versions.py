"""With which versions a run was made."""

import platform
from importlib.metadata import PackageNotFoundError, version

import unetdyn


def versions(backend: str | None) -> dict[str, str]:
    """Of unetdyn, Python, Keras, NumPy and the backend, as far as it is installed under its own name.

    >>> versions(None)["unetdyn"] == unetdyn.__version__
    True
    """
    packages = ["keras", "numpy"] + ([backend] if backend else [])
    found = {"unetdyn": unetdyn.__version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # tensorflow-cpu and other builds install the same module under another name.
            found[package] = "unknown"
    return found
