"""`predict_tiled`: a model over an image of any size, a row of tiles at a time."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn._checks import check_choice, check_count, check_fraction
from unetdyn._warnings import warn
from unetdyn.inference.assembly import Assembly
from unetdyn.inference.called_model import CalledModel, Model
from unetdyn.inference.grid import WEIGHTINGS, axis_of
from unetdyn.inference.layout import Layout
from unetdyn.inference.loading import load
from unetdyn.inference.progress import Told, teller
from unetdyn.inference.reduction import Reduction
from unetdyn.inference.sinks import ArraySink, check_fits, kind_of
from unetdyn.inference.source import Source, normalised, open_source
from unetdyn.inference.symmetries import CHOICES, symmetries
from unetdyn.inference.unfinished import Unfinished, check_free
from unetdyn.inference.work import Behind, Piece, Plan, ahead
from unetdyn.runs.input_recipe import InputRecipe, Normalise, checked_normalise


def predict_tiled(
    model: Model | str | Path,
    source: Any,
    out: Any = None,
    *,
    tile: int | Sequence[int] | None = None,
    overlap: float = 0.5,
    weighting: str = "gaussian",
    batch_size: int = 8,
    tta: str | None = None,
    reduce: str = "probabilities",
    threshold: float = 0.5,
    comparison: str = ">",
    dtype: str | None = None,
    from_logits: bool | None = None,
    normalise: Normalise | None = None,
    axes: str | None = None,
    overwrite: bool = False,
    progress: bool | Told | None = None,
) -> Any:
    r"""Predict an image, a stack of sections or a volume tile by tile, in bounded memory.

    Each pixel is the average of the tiles over it, weighted by where it lies in them:

    \[ p(x) = \frac{\sum_t w(x - x_t)\, p_t(x)}{\sum_t w(x - x_t)} \]

    A row of tiles is in memory at a time. Lines of pixels that no further tile reaches are written and never touched
    again; where the process is killed, the same call carries on behind them. While a batch is predicted, the next one
    is read and the last one added up. docs/prediction.md has figures.

    Tiles begin at multiples of a power of two (64 pixels at most) that divides tile and step, and the last one ends
    where the image ends. So a network that halves its input sees each tile as it sees the whole image. Nothing is
    padded but an image that is smaller than the tile: it lies in the middle of it, mirrored around ("reflect").

    Args:
        model: A `keras.Model` with one input and one output; a function from `float32` `(batch, *tile, channels)` to
            `(batch, *tile, classes)`; or the path of a `.keras` file or a run directory, whose recipe is then used.
        source: The path of a file that `unetdyn.data` reads (TIFF, `.npy`, Zarr, HDF5 as `file.h5::name`, MRC, PNG …),
            or anything with `shape`, `dtype` and slices, such as a memory map. A model in 2D takes each section by
            itself. What is not compressed is read in parts; of other files a section is in memory.
        out: None (default): an array is returned. An array of the result's shape. Or a path in `.npy`, `.tif`, `.tiff`,
            `.zarr`, `.nii` or `.mrc`: until it is complete it is `NAME.partial`, and `NAME.progress.json` says how far
            it is. NIfTI lies in space as a source in NIfTI does. MRC has no unsigned bytes: `uint8` becomes `uint16`.
        tile: Side of a tile in pixels, `(height, width)` or `(depth, height, width)`. None (default): what the model
            takes, if it takes only that, else that of the recipe.
        overlap: Share of a tile's side that its neighbour covers too, in [0, 1). Default 0.5, as in nnU-Net.
        weighting: `"gaussian"` (default; σ = tile / 8, at least 10⁻³ of the middle along each axis) or `"uniform"`.
        batch_size: Tiles that are predicted at once. Default 8.
        tta: None (default). `"mirrors"`: each tile is predicted in all its mirror images, 4 in 2D and 8 in 3D. `"all"`:
            with quarter turns in the plane, 8 and 16. They are averaged as tiles are: probabilities, with
            `reduce="logits"` logits. Of no use to outputs that have a direction.
        reduce: `"probabilities"` (default); `"threshold"`: 0 and 1, each channel by itself; `"argmax"`: the channel
            with the largest probability, the first of equals; `"logits"`: the model's own numbers.
        threshold: Probability that the foreground exceeds. Default 0.5.
        comparison: ">" (default) or ">=", as in `unetdyn.metrics.ThresholdedJaccard`.
        dtype: Of the result. Probabilities: `"float32"` (default), `"float16"` or `"uint8"` (round(255 p)); threshold:
            `"uint8"` (default) or `"bool"`; argmax: `"uint8"`, or `"uint16"` for more than 256 classes; logits:
            `"float32"` (default) or `"float16"`.
        from_logits: Whether the model gives logits: probabilities are then their sigmoid, and of several channels their
            softmax, with `"threshold"` the sigmoid of each. None (default): as the recipe says, else False.
        normalise: As in `InputRecipe`: `"per_image"`, `"unit"`, `"none"` or `(mean, deviation)`. None (default): as the
            recipe says; where none is known that is an error, because a wrong one gives plausible masks that are wrong.
        axes: A letter for each axis where that is not said: z, y, x, c for channels. Default None: by the shape.
        overwrite: Whether a file `out` that is there is replaced, once the new one is complete. Default False.
        progress: True: a line with the time left on standard error. A function of `(done, total)`, called after each
            batch with the tiles, copies counted, that are predicted, those of an earlier call among them.

    Returns:
        The result, or the path `out`: `(z,) y, x` of the source without its channels, with a last axis of classes where
        there are several values a pixel. Without z where the source has none, or is a file of one section.

    Raises:
        FileExistsError: If `out` is a file that is there, or another process writes it.
        FileNotFoundError: If model, source or the folder of `out` is not there.
        TypeError: If model, source or progress is nothing of the kind.
        ValueError: If arguments don't fit each other; if `out` was begun from something else, which is named; while it
            runs, if the model gives no probabilities where such are expected, or NaN.

    Example:
        >>> import numpy as np
        >>> from unetdyn.inference import predict_tiled
        >>> image = np.linspace(0, 1, 40 * 30, dtype="float32").reshape(40, 30)
        >>> mask = predict_tiled(lambda batch: batch, image, tile=16, normalise="none", reduce="threshold")
        >>> mask.shape, str(mask.dtype), bool((mask == (image > 0.5)).all())
        ((40, 30), 'uint8', True)

    Reference:
        Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation",
        Nature Methods 18, 2021.
    """
    check_fraction("overlap", overlap, zero=True)
    check_choice("weighting", weighting, WEIGHTINGS)
    check_count("batch_size", batch_size, least=1, unit="tiles")
    check_choice("tta", tta, CHOICES)
    told = teller(progress)
    if isinstance(out, str | Path):
        kind_of(Path(out))
        check_free(Path(out), overwrite)
        if isinstance(source, str | Path) and Path(source).resolve() == Path(out).resolve():
            raise ValueError(f"`out` must be another file than `source`. Received: {str(out)!r} for both.")
    loaded, recipe = load(model) if isinstance(model, str | Path) else (model, None)
    reduction = Reduction(reduce, threshold, comparison, _gives_logits(from_logits, recipe), dtype)
    how = _normalise(normalise, recipe)
    called = CalledModel(loaded)
    sides = called.tile_of(tile, None if recipe is None else recipe.tile)
    if tta == "all" and sides[-1] != sides[-2]:
        raise ValueError(
            f"`tta='all'` needs tiles as high as they are wide. Received: tile={sides}. Pass tta='mirrors'."
        )
    opened = open_source(source, axes)
    if len(sides) == 3 and not opened.has_z:
        raise ValueError(
            f"`source` must be a volume for tiles in 3D. Received: one section of {opened.sections.shape[1:3]} pixels."
        )
    sections = normalised(opened.sections, how)
    called.check_channels(sections.shape[-1])
    if recipe is not None and recipe.downsample > 1:
        warn(
            "inference.downsample",
            f"The model was trained on images made {recipe.downsample} times smaller on each side. `predict_tiled` "
            "does not make `source` smaller: pass one that is.",
            stacklevel=2,
        )

    size = sections.shape[:-1]
    lengths = size if len(sides) == 3 else size[1:]
    along = tuple(axis_of(length, side, overlap, weighting) for length, side in zip(lengths, sides, strict=True))
    plan = Plan(1 if len(sides) == 3 else size[0], along, symmetries(tta, len(sides)), batch_size)
    classes = called.classes((batch_size, *sides, sections.shape[-1]))
    layout = _layout(opened, reduction, classes, len(sides))
    if not isinstance(out, str | Path):
        sink = _array_sink(out, layout)
        _run(plan, called, sections, Assembly(plan, classes, reduction, sink), told)
        return sink.array

    kind = kind_of(Path(out))
    layout = kind.fitted(layout)
    options: dict[str, Any] = {"overlap": overlap, "weighting": weighting, "batch_size": batch_size, "tta": tta}
    options |= {"reduce": reduce, "threshold": threshold, "comparison": comparison, "normalise": how}
    options |= {"from_logits": reduction.from_logits, "dtype": str(layout.dtype), "tile": sides}
    of_source = {"shape": sections.shape, "dtype": str(opened.sections.dtype), "sample": opened.sample()}
    made_from = {f"source.{name}": value for name, value in of_source.items()} | {"model": called.hash()} | options
    check_fits(Path(out), reduction.channels_for(classes))
    with Unfinished(Path(out), made_from, overwrite) as begun:
        if begun.place is None:
            begun.begin(kind.make(begun.partial, layout))
        with closing(kind.open(begun.partial, layout, begun.place)) as into:
            _run(plan, called, sections, Assembly(plan, classes, reduction, into, begun.done, begun.note), told)
        begun.finish()
    return begun.out


def _run(plan: Plan, called: CalledModel, sections: Any, assembly: Assembly, told: Told) -> None:
    """Predict what is left: while one batch is predicted, the next is made, the last fetched and that before added up.

    Each takes a few milliseconds, as a card does for a batch: done one after another they would let it wait.
    """

    def fetch(outputs: Any, pieces: Sequence[Piece]) -> None:
        adding.submit(called.finish(outputs), pieces)

    skipped = plan.batches_before(assembly.first_row)
    done = skipped * plan.batch_size
    batches = ahead(plan.batches(sections, skipped))
    with closing(batches), Behind(assembly.take) as adding, Behind(fetch) as fetching:
        for batch, pieces in batches:
            fetching.submit(called.start(batch), pieces)
            done += len(pieces)
            told(done, plan.pieces)
        fetching.wait()
        adding.wait()
    assembly.close()


def _gives_logits(from_logits: bool | None, recipe: InputRecipe | None) -> bool | None:
    if from_logits is None and recipe is not None and recipe.output is not None:
        return recipe.output == "logits"
    return from_logits


def _normalise(normalise: Normalise | None, recipe: InputRecipe | None) -> Normalise:
    if normalise is not None:
        return checked_normalise(normalise)
    if recipe is None:
        raise ValueError(
            "`normalise` must say how images were made ready in training: 'per_image', 'unit', 'none', or (mean, "
            "deviation). Received: normalise=None and a model with which that was not stored. A wrong one gives masks "
            "that look plausible. Store it with `unetdyn.inference.store_input`, and pass the path of the model."
        )
    return recipe.normalise


def _layout(source: Source, reduction: Reduction, classes: int, rank: int) -> Layout:
    channels = reduction.channels_for(classes)
    letters = ("z" if source.has_z else "") + "yx" + ("c" if channels > 1 else "")
    sizes = dict(zip("zyx", source.sections.shape, strict=False)) | {"c": channels}
    shape = tuple(sizes[letter] for letter in letters)
    return Layout(shape, letters, reduction.dtype_for(classes), rank, source.voxel_size, source.path)


def _array_sink(out: Any, layout: Layout) -> ArraySink:
    if out is None:
        out = np.empty(layout.shape, layout.dtype)
    shape, dtype = getattr(out, "shape", None), getattr(out, "dtype", None)
    if shape is None or tuple(shape) != layout.shape or dtype != layout.dtype:
        raise ValueError(
            f"`out` must be None, a path, or an array of shape {layout.shape} and dtype {layout.dtype}. Received: "
            + (f"a {type(out).__name__}." if shape is None else f"an array of shape {tuple(shape)} and dtype {dtype}.")
        )
    return ArraySink(out, layout)
