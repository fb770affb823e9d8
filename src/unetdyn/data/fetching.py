"""Published data sets by one call: their licence, their files from their publishers, and a `Stack` of each part."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from unetdyn._checks import check_choice, unknown_choice
from unetdyn.data.datasets import DATASETS, Dataset
from unetdyn.data.download import CACHE, cache_folder, download
from unetdyn.data.files import natural
from unetdyn.data.read import read_folder
from unetdyn.data.stack import Stack
from unetdyn.data.unpack import parts_by_size, unpack

_FIRST = "train"
_DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Fetched:
    """A data set on this machine.

    Args:
        name: As `fetch` was asked for it.
        folder: It holds a folder for each part, and each of these `images` and `masks`, as `read_folder` reads them:
            `folder / "train"` may be the `data.path` of a configuration.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from PIL import Image
        >>> from unetdyn.data import Fetched
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for sub, value in (("images", 100), ("masks", 255)):
        ...         (pathlib.Path(folder) / "train" / sub).mkdir(parents=True)
        ...         Image.fromarray(np.eye(4, dtype="uint8") * value).save(f"{folder}/train/{sub}/00.png")
        ...     vnc = Fetched("vnc", pathlib.Path(folder))  # as `fetch` makes it
        ...     parts, stack = vnc.parts, vnc.read("train")
        >>> parts, stack.images.shape, stack.voxel_size
        (('train',), (1, 4, 4, 1), (47.5, 4.6, 4.6))
    """

    name: str
    folder: Path

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that its publisher made: `train`, and where there are labels for them `validation` and `test`.

        Where images have several sizes there is a part for each, such as `train_256x256`.
        """
        return tuple(sorted((entry.name for entry in self.folder.iterdir() if entry.is_dir()), key=natural))

    def read(self, part: str = _FIRST, lazy: bool | None = None) -> Stack:
        """One part as a `Stack`, with the size of its voxels: masks are 1 in what is to be found, 0 elsewhere.

        Args:
            part: One of `parts`. Default: what there is to train on.
            lazy: Whether its sections stay on disk, as in `read_folder`. Default `None`: as fits the data set, which
                is in memory but for `mitoem`.

        Raises:
            ValueError: Where there is no such part.
        """
        if part not in self.parts:
            raise ValueError(unknown_choice("part", part, self.parts))
        dataset = DATASETS[self.name]
        reading = dict(dataset.reading) | ({} if lazy is None else {"lazy": lazy})
        return replace(read_folder(self.folder / part, **reading), voxel_size=dataset.voxel_size)


def fetch(name: str, accept_licence: bool = False) -> Fetched:
    """A published data set: downloaded, checked and unpacked the first time, and from the cache from then on.

    Its licence must be accepted in each call, as others may share the cache. docs/datasets.md has a table of what there
    is, how large it is, and where its checksums come from.

    Args:
        name: `"lucchi"`, mitochondria in a hippocampus; `"vnc"`, in a fly's nerve cord; `"mitoem"`, in a rat's
            cortex (14 GB); or `"dsb2018"`, nuclei in fluorescence.
        accept_licence: Whether you have read its licence and keep to it. Default `False`: you are asked where there is
            a terminal, and elsewhere the error says what the licence is.

    Returns:
        Where it is, what parts it has, and how to read them.

    Raises:
        ConnectionError: Where a file can't be had, or its download breaks off. Nothing of it is taken for whole.
        ImportError: Where pooch is not installed; the message says how to install it.
        OSError: Where nothing can be written to the cache, which `UNETDYN_DATA_CACHE` moves.
        ValueError: Where there is no such data set, its licence is not accepted, a checksum is not the one that is
            expected, or an archive is damaged or leads out of itself.

    Example:
        >>> from unetdyn import data
        >>> data.fetch("vcn")
        Traceback (most recent call last):
        ValueError: `name` must be one of 'lucchi', 'vnc', 'mitoem', 'dsb2018'. Received: name='vcn'. Did you mean \
'vnc'?
    """
    check_choice("name", name, DATASETS)
    dataset = DATASETS[name]
    _check_accepted(name, dataset, accept_licence)
    home = cache_folder() / name
    whole = home / dataset.version
    if not whole.is_dir():
        _check_writable(home)
        print(f"Fetching the data set {name!r} ({dataset.page}). {dataset.licence}", file=sys.stderr)
        try:
            _bring(dataset, home, whole)
        except OSError:
            if not whole.is_dir():  # else another process was faster
                raise
        shutil.rmtree(home / _DOWNLOADS, ignore_errors=True)
    return Fetched(name, whole)


def _bring(dataset: Dataset, home: Path, whole: Path) -> None:
    """Download, unpack beside, and put into place at once: what is there is whole."""
    downloads = home / _DOWNLOADS
    files = [(download(remote, downloads, home / "checksums.json"), remote) for remote in dataset.files]
    unpacked = Path(tempfile.mkdtemp(prefix="unpacking-", dir=downloads))
    try:
        for file, remote in files:
            unpack(file, remote, unpacked)
        if dataset.by_size:
            parts_by_size(unpacked)
        (unpacked / "LICENCE.txt").write_text(f"{dataset.licence}\n", encoding="utf-8")
        unpacked.chmod(0o755)  # a temporary folder is for its owner alone
        unpacked.rename(whole)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _check_accepted(name: str, dataset: Dataset, accepted: bool) -> None:
    if not isinstance(accepted, bool):
        raise ValueError(f"`accept_licence` must be True or False. Received: accept_licence={accepted!r}.")
    if accepted:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"The data set {name!r} ({dataset.page}). {dataset.licence}")
        accepted = input("Do you accept this licence? [y/N] ").strip().lower() in ("y", "yes")
    if not accepted:
        raise ValueError(
            f"`accept_licence` must be True to have the data set {name!r}. Received: accept_licence=False. "
            f"{dataset.licence} If you keep to it, pass `accept_licence=True`."
        )


def _check_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise OSError(
            f"The cache must be a folder that can be written to. Received: {str(home)!r} ({error}). Set the "
            f"environment variable {CACHE} to another folder, or have the data set fetched by who can write there."
        ) from error
