"""What a configuration may say of the images: where they are, how they are split, cut and changed."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from unetdyn._part import Fraction, Part
from unetdyn.experiment.paths import InnerPath, UserPath

Sections = tuple[int, int]  # first and last, both included
Block = tuple[PositiveInt, PositiveInt, PositiveInt]  # sections, rows and columns of a tile in 3D


class SplitConfig(Part):
    """Which sections train, validate and test: all as inclusive ranges, or as shares of the stack in its own order."""

    train: Sections | None = Field(None, description="first and last section; absent: what the shares leave")
    validation: Sections | Fraction = 0.2
    test: Sections | Fraction | None = None
    gap: int = Field(
        1, ge=0, description="sections left out between two parts, as neighbours look alike; not of groups"
    )
    groups: str | None = Field(
        None, description="pattern on names: sections of one match, such as a patient's, stay together"
    )
    groups_table: InnerPath | None = Field(
        None, description="instead, a CSV file in `data.path`: a row an image, its name first"
    )
    groups_column: str | None = Field(None, description="the table's column that holds the groups")

    @model_validator(mode="after")
    def _ranges_or_shares(self) -> "SplitConfig":
        kinds = {isinstance(part, tuple) for part in (self.validation, self.test) if part is not None}
        if kinds != {self.train is not None}:
            raise ValueError(
                "give `train`, `validation` and `test` all as [first, last] sections, or leave `train` out and give "
                f"the others as shares. Received: train={self.train}, validation={self.validation}, test={self.test}"
            )
        return self

    @model_validator(mode="after")
    def _groups_from_one_place(self) -> "SplitConfig":
        table = self.groups_table is not None
        if table != (self.groups_column is not None) or (table and self.groups is not None):
            raise ValueError(
                "give groups as a pattern in `groups`, or as `groups_table` and `groups_column`. Received: "
                f"groups={self.groups!r}, groups_table={str(self.groups_table) if table else None!r}, "
                f"groups_column={self.groups_column!r}"
            )
        return self


class AugmentationConfig(Part):
    """Random changes to training tiles, image and mask together; see `unetdyn.data.Augmentation`."""

    flip: bool = True
    rotate90: bool = True
    rotation: float = Field(0.0, ge=0, le=180, description="largest angle, degrees")
    zoom: float = Field(0.0, ge=0, le=0.99, description="largest relative change of scale")
    shear: float = Field(0.0, ge=0, le=60, description="largest angle, degrees")
    shift: float = Field(0.0, ge=0, description="largest shift along each axis, pixels")
    elastic: float = Field(0.0, ge=0, description="σ of the displacement by a smooth random field, pixels")
    elastic_spacing: float = Field(32.0, gt=0, description="points of that field's grid, pixels; 8 × `elastic` or more")
    brightness: float = Field(0.0, ge=0, description="largest shift, in standard deviations of the image")
    contrast: float = Field(0.0, ge=0, lt=1, description="largest relative change")
    gamma: float = Field(0.0, ge=0, description="largest relative change of the exponent")
    noise: float = Field(0.0, ge=0, description="σ of Gaussian noise, in standard deviations of the image")
    blur: float = Field(0.0, ge=0, description="largest σ of a Gaussian blur, pixels")
    cutout: float = Field(0.0, ge=0, le=1, description="largest side of a blank box, as a part of the tile's")

    @model_validator(mode="after")
    def _no_folds(self) -> "AugmentationConfig":
        if self.elastic > self.elastic_spacing / 8:
            raise ValueError(
                "`elastic` must be at most an eighth of `elastic_spacing`, or tissue would fold over. Received: "
                f"elastic={self.elastic:g}, elastic_spacing={self.elastic_spacing:g}"
            )
        return self


class _Images(Part):
    downsample: PositiveInt = 1
    tile: PositiveInt | Block = Field(
        128, description="side of the square tiles, pixels after downsampling; [depth, height, width] trains in 3D"
    )
    stride: PositiveInt | Block | None = Field(
        None, description="step between training tiles, pixels; absent: the tile's side"
    )
    normalise: Literal["per_image", "unit"] = "per_image"
    split: SplitConfig = SplitConfig()
    augmentation: AugmentationConfig | None = None

    @model_validator(mode="after")
    def _square_where_turned(self) -> "_Images":
        turned = self.augmentation is not None and self.augmentation.rotate90
        if turned and isinstance(self.tile, tuple) and self.tile[1] != self.tile[2]:
            raise ValueError(
                "quarter turns need tiles as high as they are wide: set `augmentation.rotate90` to false, or another "
                f"`tile`. Received: tile={list(self.tile)}"
            )
        return self

    @model_validator(mode="after")
    def _larger_than_blur(self) -> "_Images":
        blur = 0.0 if self.augmentation is None else self.augmentation.blur
        side = min(self.tile[1:]) if isinstance(self.tile, tuple) else self.tile
        if 4 * blur > side:
            raise ValueError(
                "`augmentation.blur` must be at most a quarter of the side of `tile`. "
                f"Received: blur={blur:g}, tile={list(self.tile) if isinstance(self.tile, tuple) else self.tile}"
            )
        return self


class SyntheticData(_Images):
    """The embedded synthetic electron microscope."""

    kind: Literal["synthetic"] = "synthetic"
    sections: PositiveInt = 16
    size: PositiveInt = Field(256, description="side of a section, pixels")
    seed: int = 0


class FetchData(_Images):
    """A published data set, which is downloaded the first time: see `unetdyn.data.fetch`."""

    kind: Literal["fetch"] = "fetch"
    name: Literal["lucchi", "vnc", "mitoem", "dsb2018"]
    part: str = Field(
        "train", description="one that its publisher made; the sections of `split` are those of this part"
    )
    accept_licence: bool = Field(False, description="true: I have read its licence, and keep to it")
    lazy: bool | None = Field(None, description="leave the sections on disk; absent: as fits the data set")


class FolderData(_Images):
    """A folder of images and masks, or of one volume of each: see `unetdyn.data.read_folder`."""

    kind: Literal["folder"] = "folder"
    path: UserPath
    images: InnerPath = "images"
    masks: InnerPath = "masks"
    axes: str | None = Field(None, description="of arrays that don't say theirs, such as czyx; absent: by their shape")
    lazy: bool = Field(False, description="leave the sections on disk, where they are larger than memory")
    mask_threshold: Fraction | None = Field(None, description="for masks with greys between background and object")
    ignore: int | None = Field(None, description="value in the masks of pixels without a label, which do not count")
    foreground: Literal["nonzero"] | None = Field(None, description="for masks with the numbers of single objects")
    pair: tuple[str, str] | None = Field(None, description='how images and masks are named: ["image_{}", "mask_{}"]')
    recursive: bool | None = Field(None, description="read sub-folders too; false: leave them out; absent: refuse them")
