"""What is known of the data sets that `fetch` brings: files, checksums, licences, and what lies where in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Licence:
    """What a data set may be used for.

    Args:
        name: As its publisher calls it.
        terms: What it asks for, in a sentence.
        citation: What its publisher wants cited.
        url: Where to read it.
    """

    name: str
    terms: str
    citation: str
    url: str

    def __str__(self) -> str:
        return f"Licence: {self.name}. {self.terms} Cite: {self.citation} Read it at {self.url}"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set, as its publisher has it.

    Args:
        url: Where it is.
        sha256: Its checksum, where anybody has published one; `None`: what comes first is trusted, kept in mind, and
            expected from then on.
        takes: Pairs of a pattern and a path. What is in the archive under a name that fits a pattern comes to the path;
            of a file that is no archive the pattern is about its own name. All else is left in the archive.
    """

    url: str
    sha256: str | None
    takes: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Dataset:
    """A published data set.

    Args:
        files: All that make it up.
        licence: What it may be used for.
        page: Where people read of it.
        voxel_size: (z, y, x) in nanometres, or `None` where its publisher does not say.
        reading: What `read_folder` must be told to read it.
        by_size: Whether its images have several sizes: each gets a part of its own, as a `Stack` has one.
    """

    files: tuple[RemoteFile, ...]
    licence: Licence
    page: str
    voxel_size: tuple[float, float, float] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    by_size: bool = False

    @property
    def version(self) -> str:
        """A name for what these files become on disk, which changes with any of them."""
        return hashlib.sha256(repr((self.files, self.by_size)).encode()).hexdigest()[:12]


_EPFL = "https://documents.epfl.ch/groups/c/cv/cvlab-unit/www/data/%20ElectronMicroscopy_Hippocampus"
_HUGGING_FACE = "https://huggingface.co/datasets/pytc"

_LUCCHI = Dataset(
    files=tuple(
        RemoteFile(f"{_EPFL}/{file}.tif", None, ((rf"{file}\.tif", f"{part}.tif"),))
        for file, part in (
            ("training", "train/images"),
            ("training_groundtruth", "train/masks"),
            ("testing", "test/images"),
            ("testing_groundtruth", "test/masks"),
        )
    ),
    licence=Licence(
        name="none that we know of",
        terms="We know of no licence of its publisher: take all rights as reserved, and ask for more than research.",
        citation="Lucchi, Li & Fua (2013), Learning for Structured Prediction Using Approximate Subgradient Descent "
        "with Working Sets, CVPR, doi:10.1109/CVPR.2013.259.",
        url="https://www.epfl.ch/labs/cvlab/data/data-em/",
    ),
    page="https://www.epfl.ch/labs/cvlab/data/data-em/",
    voxel_size=(5.0, 5.0, 5.0),
)

_VNC = Dataset(
    files=(
        RemoteFile(
            "https://github.com/unidesigner/groundtruth-drosophila-vnc/archive/refs/heads/master.zip",
            "f7bd0db03c86b64440a16b60360ad60c0a4411f89e2c021c7ee2c8d6af3d7e86",  # as torch-em has it
            (
                (r"[^/]+/stack1/raw/(\d\d)\.tif", r"train/images/\1.tif"),
                (r"[^/]+/stack1/mitochondria/(\d\d)\.png", r"train/masks/\1.png"),
            ),
        ),
    ),
    licence=Licence(
        name="CC BY-NC-SA 3.0 Unported",
        terms="To generate or test non-commercial image segmentation software; what is made of it bears this licence.",
        citation="Gerhard, Funke, Martel, Cardona & Fetter (2013), Segmented anisotropic ssTEM dataset of neural "
        "tissue, figshare, doi:10.6084/m9.figshare.856713.",
        url="https://creativecommons.org/licenses/by-nc-sa/3.0/",
    ),
    page="https://github.com/unidesigner/groundtruth-drosophila-vnc",
    voxel_size=(47.5, 4.6, 4.6),  # its sections are 45 to 50 nm thick
    reading={"mask_threshold": 0.5},  # some masks have greys between background and object
)

_MITOEM = Dataset(
    files=(
        RemoteFile(  # the small one first: what can go wrong goes wrong early
            f"{_HUGGING_FACE}/MitoEM/resolve/2105967e61abf02ae1873c514b8ea16390606384/EM30-R-mito-train-val-v2.zip",
            "c56380ac575428a818bd293ca3509d1249999846c3702ccbf11d308acdd2ae86",  # as torch-em has it
            (
                (r"mito-train-v2/seg(\d{4})\.tif", r"train/masks/\1.tif"),
                (r"mito-val-v2/seg(\d{4})\.tif", r"validation/masks/\1.tif"),
            ),
        ),
        RemoteFile(
            f"{_HUGGING_FACE}/EM30/resolve/63519706548316c1f00863cbea0ece40358a759a/EM30-R-im.zip",
            "6a2cac68adde5d01984542d3ee1d7753d1fa3e6eb2a042ce15ce297c95885bbe",  # as torch-em has it
            (
                (r"im/im(0[0-3]\d\d)\.png", r"train/images/\1.png"),
                (r"im/im(04\d\d)\.png", r"validation/images/\1.png"),
            ),
        ),
    ),
    licence=Licence(
        name="MIT, as the publisher's pages at Hugging Face say",
        terms="Use, change and pass it on, with the licence's text and its notice of copyright.",
        citation="Wei et al. (2020), MitoEM Dataset: Large-scale 3D Mitochondria Instance Segmentation from EM Images, "
        "MICCAI, doi:10.1007/978-3-030-59722-1_7.",
        url="https://huggingface.co/datasets/pytc/EM30",
    ),
    page="https://mitoem.grand-challenge.org/",
    voxel_size=(30.0, 8.0, 8.0),
    reading={"foreground": "nonzero", "lazy": True},  # 16 million pixels a section
)

_DSB2018 = Dataset(
    files=(
        RemoteFile(
            "https://github.com/stardist/stardist/releases/download/0.1.0/dsb2018.zip",
            "e44921950edce378063aa4457e625581ba35b4c2dbd9a07c19d48900129f386f",  # as torch-em has it
            ((r"dsb2018/(train|test)/(images|masks)/(\w+)\.tif", r"\1/\2/\3.tif"),),
        ),
    ),
    licence=Licence(
        name="CC0 1.0",
        terms="Whoever gave the images has waived all rights in them: no conditions.",
        citation="Caicedo et al. (2019), Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, "
        "Nature Methods, doi:10.1038/s41592-019-0612-7: image set BBBC038v1 of the Broad Bioimage Benchmark "
        "Collection, of which this is the subset of Schmidt et al. (2018), StarDist, MICCAI, "
        "doi:10.1007/978-3-030-00934-2_30.",
        url="https://bbbc.broadinstitute.org/BBBC038",
    ),
    page="https://github.com/stardist/stardist",
    reading={"foreground": "nonzero"},
    by_size=True,
)

DATASETS: dict[str, Dataset] = {"lucchi": _LUCCHI, "vnc": _VNC, "mitoem": _MITOEM, "dsb2018": _DSB2018}
"""By the name that `fetch` is asked for."""
