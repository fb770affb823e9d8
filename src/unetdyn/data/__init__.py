"""Images and masks: stacks, tiles, leakage-free splits, augmentation, and what `fit` draws its batches from."""

# Keras first: loading it registers our objects, and that must not meet this room half imported.
import keras  # noqa: F401  # isort: skip

from unetdyn.data.augmentation import Augmentation
from unetdyn.data.dataset import TileDataset, epoch_order
from unetdyn.data.fetching import Fetched, fetch
from unetdyn.data.files import read_image
from unetdyn.data.folders import read_stack
from unetdyn.data.groups import read_groups
from unetdyn.data.lazy import LazyArray
from unetdyn.data.leakage import LeakageReport, Split, check_leakage, check_tile_leakage
from unetdyn.data.normalise import normalise
from unetdyn.data.read import read_folder
from unetdyn.data.split import split_by_fraction, split_by_section
from unetdyn.data.stack import Stack, downsample
from unetdyn.data.synthetic import synthetic_em
from unetdyn.data.tiles import Tiles, stitch, tile
from unetdyn.data.volume import read_volume

__all__ = [
    "Augmentation",
    "Fetched",
    "LazyArray",
    "LeakageReport",
    "Split",
    "Stack",
    "TileDataset",
    "Tiles",
    "check_leakage",
    "check_tile_leakage",
    "downsample",
    "epoch_order",
    "fetch",
    "normalise",
    "read_folder",
    "read_groups",
    "read_image",
    "read_stack",
    "read_volume",
    "split_by_fraction",
    "split_by_section",
    "stitch",
    "synthetic_em",
    "tile",
]
