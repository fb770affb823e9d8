"""Masks and their signed distance maps, made on the host: what a boundary loss is given as targets."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from unetdyn._checks import check_count, check_positive


def signed_distance(mask: ArrayLike, spacing: ArrayLike | None = None) -> NDArray[np.float64]:
    """How far each pixel is from the boundary of a mask: below 0 inside, above 0 outside, 0 on it.

    The boundary is made of the foreground's pixels that have a background pixel beside them, by a face; the edge of the
    image is none. On a straight boundary that is what the authors' own code computes, the distance to the background
    less 1.

    Args:
        mask: True inside, of any number of axes.
        spacing: Size of a pixel along each axis, in any unit, in which the distances then are; None, the default: 1.

    Returns:
        Float64, the mask's shape. All 0 where there is no boundary: of an empty mask, and of a full one.

    Example:
        >>> signed_distance([False, True, True, True, False, False]).tolist()
        [1.0, 0.0, -1.0, 0.0, 1.0, 2.0]

    Reference:
        Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL 2019, equation 5: −D inside and D
        outside, D the distance to the contour.
    """
    inside = np.asarray(mask, dtype=bool)
    contour = inside & ~ndimage.binary_erosion(inside, border_value=1)
    if not contour.any():
        return np.zeros(inside.shape)
    distance = ndimage.distance_transform_edt(~contour, sampling=spacing)
    return np.where(inside, 0 - distance, distance)


def boundary_targets(
    masks: ArrayLike, epoch: int = 0, *, classes: int = 1, spacing: ArrayLike | None = None, step: float = 0.0
) -> NDArray[np.float32]:
    """Masks with their signed distance maps as further channels: the targets of a `BoundaryLoss`.

    A distance map can't be made within a compiled step on all backends, and it changes when a mask is augmented. So it
    is made on the host, of each batch: `TileDataset(..., targets=boundary_targets)` does, after augmentation. A weight
    that grows with the epoch is put into the distances there, since a number that a loss holds is a constant of the
    compiled step: `targets=functools.partial(boundary_targets, step=1.0)`.

    Args:
        masks: Of 0 and 1, or of class numbers, `(batch, height, width, 1)` or `(batch, height, width)`; in 3D with the
            depth before the height.
        epoch: Number of the epoch, from 0, which `TileDataset` gives.
        classes: 1 (default) for masks of 0 and 1, else the number of classes with the background.
        spacing: As in `signed_distance`.
        step: By how much the weight of the boundary grows from epoch to epoch, as a part of its first: distances are
            multiplied by `1 + step · epoch`. 0 by default: it stays. The paper's 0.01, 0.02, … is
            `BoundaryLoss(weight=0.01)` with a step of 1.

    Returns:
        Float32, `(batch, height, width, 2 · classes)`: a mask for each class, then a distance map for each.

    Raises:
        ValueError: If masks hold other values, or an argument is out of range.

    Example:
        >>> boundary_targets([[[0, 1, 1, 1, 0]]])[0, 0].T.tolist()
        [[0.0, 1.0, 1.0, 1.0, 0.0], [1.0, 0.0, -1.0, 0.0, 1.0]]

    Reference:
        Kervadec, Bouchtiba, Desrosiers, Granger, Dolz & Ben Ayed, "Boundary loss for highly unbalanced segmentation",
        MIDL 2019; Medical Image Analysis 67, 2021, where the weight grows by 0.01 an epoch.
    """
    check_count("classes", classes, least=1, unit="")
    check_count("epoch", epoch, least=0, unit="")
    if step:
        check_positive("step", step, otherwise="or 0 for a weight that stays")
    array = np.asarray(masks)
    if array.ndim >= 4 and array.shape[-1] == 1:
        array = array[..., 0]
    numbers = np.arange(max(classes, 2))
    known = np.isin(array, numbers)
    if array.ndim < 2 or not known.all():
        found = f"the value {array[~known][0]:g}" if not known.all() else f"masks.shape={np.shape(masks)}"
        raise ValueError(
            "`masks` must be a batch of masks that hold the class numbers 0 to "
            f"{numbers[-1]}, (batch, height, width, 1). Received: {found}. Divide masks of 0 and 255 by 255; give "
            "pixels without a label a `sample_weight` of 0, and any class."
        )
    of_classes = [array == number for number in (numbers[1:] if classes == 1 else numbers)]
    maps = [np.stack([signed_distance(mask, spacing) for mask in of_class]) for of_class in of_classes]
    return np.stack([*of_classes, *(each * (1 + step * epoch) for each in maps)], axis=-1).astype(np.float32)
