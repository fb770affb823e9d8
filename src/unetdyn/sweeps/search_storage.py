"""Where a search keeps its trials, and which places several writers would damage."""

import time
import warnings
from pathlib import Path
from typing import Any

from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.table import SweepError

JOURNAL = "study.journal"
ANSWERS_WITHIN = 60.0
"""Seconds, in which a proxy that was just started is ready."""
_TRIES, _PAUSE = 10, 0.5
"""How often, and after how many seconds, a database is opened again whose tables another worker is making."""
MOUNTS = Path("/proc/self/mounts")
SHARED = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "glusterfs", "orangefs"),
    *("panfs", "ocfs2", "gfs2", "acfs", "pvfs2", "ncpfs", "wekafs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"),
    *("fuse.ceph-fuse", "fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs"),
}
"""File systems of several machines, by the name that the kernel has for them."""
ELSEWHERE = (
    "Name a `storage` that several machines can write: postgresql://…, mysql://…, or grpc://HOST:PORT of Optuna's "
    "gRPC proxy; or put the file on a disk of this machine."
)


def open_storage(storage: str | None, folder: Path) -> Any:
    """The storage of a search, as `optuna.create_study` takes it.

    Args:
        storage: `postgresql://…`, `mysql://…` or another URL of SQLAlchemy, `grpc://HOST:PORT`, `sqlite:////FILE` or
            `journal:///FILE`; None: a journal in the folder.
        folder: Of the search.

    Returns:
        A storage of Optuna.

    Raises:
        SweepError: If it is a file on a file system of several machines, or its path is relative.
    """
    if storage is None:
        return _journal(local_file(folder.absolute() / JOURNAL, "the journal of the trials"))
    kind, separator, rest = storage.partition("://")
    if not separator:
        raise SweepError(
            "`storage` must be a URL, such as postgresql://USER:PASSWORD@HOST/NAME or grpc://HOST:PORT. Received: "
            f"storage={storage!r}."
        )
    if kind == "journal":
        return _journal(local_file(Path(rest), "a journal"))
    if kind == "grpc":
        return _grpc(rest)
    if kind.startswith("sqlite"):
        local_file(Path(rest.partition("?")[0].removeprefix("/")), "SQLite")
    return _database(storage, kind)


def local_file(path: Path, what: str, mounts: str | None = None) -> Path:
    """Refuse a file that other machines could write too, or whose place depends on where a worker is started.

    Args:
        path: The file; it need not be there.
        what: What it is, for the sentence.
        mounts: The text of /proc/self/mounts; None: that of this machine. Without one nothing is known, and allowed.

    Returns:
        The path.

    Raises:
        SweepError: If it is relative, or on a network file system.

    Example:
        >>> local_file(Path("/scratch/study.db"), "SQLite", "server:/x /scratch nfs4 rw 0 0")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        unetdyn.sweeps.table.SweepError: SQLite is for workers of one machine. Received: /scratch/study.db, on a file \
system of kind nfs4, where locks of several machines may fail and lose trials. Name a `storage` that ...
    """
    if not path.is_absolute():
        raise SweepError(
            f"A file as `storage` must have an absolute path: {what} locks by a name beside it, and a relative symlink "
            f"leads nowhere from there, which hangs. Received: {path}."
        )
    kind = file_system(path, mounts)
    if kind in SHARED:
        raise SweepError(
            f"{what} is for workers of one machine. Received: {path}, on a file system of kind {kind}, where locks of "
            f"several machines may fail and lose trials. {ELSEWHERE}"
        )
    return path


def file_system(path: Path, mounts: str | None = None) -> str | None:
    """The kind of the file system that a path is on; None where nothing tells it.

    >>> mounts = "/dev/sda / ext4 rw 0 0\\nhome:/h /home nfs rw 0 0\\ntmpfs /home/me/a\\\\040b tmpfs rw 0 0"
    >>> [file_system(Path(path), mounts) for path in ("/etc", "/home/me", "/home/me/a b/c", "/homes")]
    ['ext4', 'nfs', 'tmpfs', 'ext4']
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        path = path.resolve()
    found: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) >= 3:
            point = Path(fields[1].encode().decode("unicode_escape"))  # a blank is \040 there
            if path.is_relative_to(point) and len(point.parts) >= found[0]:  # of several at one place the last
                found = (len(point.parts), fields[2])
    return found[1]


def _journal(path: Path) -> Any:
    """Locked by exclusive creation; a symlink would do no better on one machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = optuna.storages.journal
    return optuna.storages.JournalStorage(
        journal.JournalFileBackend(str(path), lock_obj=journal.JournalFileOpenLock(str(path)))
    )


def _database(url: str, kind: str) -> Any:
    """Of workers that begin at once on an empty database one makes its tables; the others find that they exist."""
    left = _TRIES
    while True:
        try:
            return optuna.storages.RDBStorage(url)
        except Exception as error:  # of SQLAlchemy, of the driver that is missing, or of the server
            left -= 1
            being_made = "already exists" in str(error) or type(error).__name__ == "IntegrityError"
            if not (being_made and left):
                said = error.__cause__ or error  # the driver's own words
                why = f"{type(said).__name__}: {' '.join(str(said).split())[:300]}"
                raise SweepError(f"The storage {kind}://… can't be opened: {why}") from error
        time.sleep(_PAUSE)


def _grpc(address: str) -> Any:
    host, _, port = address.rstrip("/").rpartition(":")
    if not host or not port.isdigit():
        raise SweepError(f"`storage` of a gRPC proxy must be grpc://HOST:PORT. Received: grpc://{address}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            proxy = optuna.storages.GrpcStorageProxy(host=host, port=int(port))
        proxy.wait_server_ready(timeout=ANSWERS_WITHIN)
        return proxy
    except ConnectionError:
        raise SweepError(
            f"The gRPC proxy grpc://{address} does not answer within {ANSWERS_WITHIN:g} seconds: is it started there, "
            "by optuna.storages.run_grpc_proxy_server, and can this machine reach the port?"
        ) from None
    except ImportError as error:
        raise SweepError(
            f"grpc://{address} needs grpcio and protobuf: pip install grpcio protobuf. ({error})"
        ) from error
