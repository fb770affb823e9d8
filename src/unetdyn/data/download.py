"""Files from their publishers, whole and checked, by pooch."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from unetdyn.data.datasets import RemoteFile
from unetdyn.runs.atomic import replacing

CACHE = "UNETDYN_DATA_CACHE"
"""The environment variable that says where what was fetched is kept."""

_INSTALL = "pip install 'unetdyn[datasets]'"
_SECONDS_OF_SILENCE = 60.0
_AT_ONCE = 2**20  # bytes


def cache_folder() -> Path:
    """Where what was fetched is kept: `UNETDYN_DATA_CACHE`, or the system's place for what can be had again."""
    moved = os.environ.get(CACHE)
    return Path(moved).expanduser() if moved else Path(_pooch().os_cache("unetdyn"))


def download(remote: RemoteFile, folder: Path, kept: Path) -> Path:
    """A file, with the checksum that is expected of it.

    It is written under another name until it is whole and its checksum right. Where nobody has published one, that of
    what comes first is shown and kept, and expected from then on: it tells whether a file changes, not whether the
    first was right.

    Args:
        remote: Which file.
        folder: Where it comes to, under its own name; what lies there already is checked again.
        kept: The JSON file of checksums that nobody has published, by address.

    Returns:
        Its path.

    Raises:
        ImportError: Where pooch is not installed.
        ConnectionError: Where it can't be had, or breaks off.
        ValueError: Where its checksum is not the one that is expected.
    """
    pooch = _pooch()
    import requests  # what pooch downloads with

    checksums = _kept(kept)
    expected = remote.sha256 or checksums.get(remote.url)
    shown = _Progress(remote.name) if sys.stderr.isatty() else False
    downloader = pooch.HTTPDownloader(progressbar=shown, chunk_size=_AT_ONCE, timeout=_SECONDS_OF_SILENCE)
    try:
        path = Path(pooch.retrieve(remote.url, expected, fname=remote.name, path=folder, downloader=downloader))
    except requests.exceptions.RequestException as error:
        raise ConnectionError(
            f"A data set's files must be within reach. Received: {error}, from {remote.url}. Nothing of it was kept. "
            "Is this machine on-line? Try again later, or where it isn't, fetch elsewhere and copy the cache "
            f"({folder.parent}) here."
        ) from error
    except ValueError as error:
        origin = "was published" if remote.sha256 else f"came the first time, which {str(kept)!r} keeps,"
        raise ValueError(
            f"What is downloaded must have the checksum that is expected. Received: {remote.url}, {_sentence(error)} "
            f"Expected is the one that {origin} and nothing of the file was kept. Try again; if it stays so, its "
            "publisher has changed it, or somebody else has: ask before you trust it."
        ) from error
    if expected is None:
        checksums[remote.url] = pooch.file_hash(str(path))
        with replacing(kept) as temporary:
            temporary.write_text(json.dumps(checksums, indent=1) + "\n", encoding="utf-8")
        pooch.get_logger().warning(
            "Nobody has published a checksum of '%s'. What came has the SHA-256 %s: it is trusted now, kept in '%s', "
            "and expected from now on.",
            remote.name,
            checksums[remote.url],
            kept,
        )
    return path


class _Progress:
    """Percent on one line of the terminal, in the form that pooch wants of a progress bar."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0
        self._seen, self._said = 0, -1

    def update(self, bytes_more: int) -> None:
        self._seen += bytes_more
        percent = min(100, 100 * self._seen // self.total) if self.total else 0
        if percent != self._said:
            self._said = percent
            print(f"\r{self.name}: {percent} % of {self.total / 1e6:.1f} MB", end="", file=sys.stderr, flush=True)

    def reset(self) -> None:
        self._seen = 0

    def close(self) -> None:
        print(file=sys.stderr)


def _kept(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        checksums = json.loads(path.read_text(encoding="utf-8"))
        return {str(url): str(checksum) for url, checksum in checksums.items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"The kept checksums must be JSON, an object of addresses. Received: {str(path)!r} ({error}). Remove it to "
            "trust anew what is downloaded next."
        ) from error


def _sentence(error: ValueError) -> str:
    """What pooch says, on one line."""
    return " ".join(str(error).split())


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"Fetching data sets needs the package 'pooch', which can't be imported ({error}). Install it: {_INSTALL}",
            name="pooch",
        ) from error
    return pooch
