"""Sums over all variables in few kernels: what XLA would not join by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from unetdyn.dynamics.backend.small_tensors import TOGETHER, packed, rows_of, together

Tensor = Any
Terms = Callable[..., Sequence[Tensor]]

TABLE_ON_CPU = 2**16  # entries; there a kernel starts at once, and copying megabytes takes longer than it saves
PARTS = 1024  # partial sums of each large tensor; enough to fill a GPU, few enough to be added up in one kernel


@dataclass(frozen=True)
class Joined:
    """Tensors, the small ones in one table.

    Attributes:
        shapes: Of all tensors.
        small: The places of those in the table; see `small_tensors.together`.
        table: What `small_tensors.packed` makes of them; None where there are none.
        large: The others, by place.
    """

    shapes: list[tuple[int, ...]]
    small: list[int]
    table: Tensor | None
    large: dict[int, Tensor]


def joined(tensors: Sequence[Tensor]) -> Joined:
    """These tensors. One that is laid out over several devices is best left as it is, and the table has no place for
    float64; then all are large.
    """
    shapes = [tuple(tensor.shape) for tensor in tensors]
    fit = weights_are_whole() and all(tensor.dtype != "float64" for tensor in tensors)
    small = together(shapes, _table()) if fit else []
    large = {place: tensor for place, tensor in enumerate(tensors) if place not in set(small)}
    return Joined(shapes, small, packed([tensors[place] for place in small]) if small else None, large)


def _table() -> int:
    """The most entries that it may have."""
    return TABLE_ON_CPU if jax.default_backend() == "cpu" else TOGETHER


def joint_sums(terms: Terms, *lists: Joined) -> Tensor:
    """Sums over each tensor, in float32, of what `terms` makes of its entries.

    A sum for each of some hundred tensors is some hundred kernels, of two stages where a tensor is large, and starting
    them takes longer than what they do. Here the table of all small ones is summed by rows, and the rows by tensors.
    Each large one has one kernel, which XLA joins with what makes the tensor, and all large ones share the second
    stage. Each is a single reduction with several operands: XLA lets a kernel overwrite its input only where it holds
    one reduction; otherwise it copies the weights.

    Args:
        terms: From a tensor of each list, float32 or float64, tensors of the same shape; of zeros it makes zeros.
        lists: Tensors of the same shapes in each.

    Returns:
        A float32 tensor of shape `(number of terms, tensors in a list)`.

    Example:
        >>> left, right = joined([jnp.ones(3), jnp.ones((2, 2))]), joined([2 * jnp.ones(3), jnp.zeros((2, 2))])
        >>> joint_sums(lambda t, u: (t, t * u), left, right).tolist()
        [[3.0, 4.0], [6.0, 0.0]]
    """
    small, large = lists[0].small, list(lists[0].large)
    tables = [each.table for each in lists]
    groups = [[each.large[place] for each in lists] for place in large]
    sums = [_sums_of_small(terms, tables, [rows_of(lists[0].shapes[place]) for place in small])] if small else []
    if groups:
        partial = _sums_of_large if weights_are_whole() else _sums_in_place
        sums.append(partial([_terms(terms, group) for group in groups]))
    return jnp.concatenate(sums, axis=1)[:, np.argsort([*small, *large])] if small and large else sums[0]


def _terms(terms: Terms, tensors: Sequence[Tensor]) -> list[Tensor]:
    wide = [each.astype(jnp.promote_types(each.dtype, jnp.float32)) for each in map(jnp.asarray, tensors)]
    return [jnp.asarray(term, jnp.float32) for term in terms(*wide)]


def weights_are_whole() -> bool:
    """Whether each device has all of every weight, and so of every gradient: then each computes any sum by itself.

    Under `DataParallel` the batch is split, and a gradient is added up before anything reads it. Where weights
    themselves are laid out over devices, as under `ModelParallel`, each is best summed as it lies: in another shape it
    would have to go from device to device.

    Example:
        >>> weights_are_whole()
        True
    """
    distribution = keras.distribution.distribution()
    return distribution is None or isinstance(distribution, keras.distribution.DataParallel)


def _sums_of_small(terms: Terms, tables: Sequence[Tensor], rows: Sequence[int]) -> Tensor:
    of_rows = jnp.stack(_summed_by_rows(_terms(terms, tables)))
    owner = np.repeat(np.arange(len(rows)), rows)
    # Chosen and not multiplied by 0: a NaN of one tensor stays with it.
    own = jnp.where(owner == np.arange(len(rows))[:, None], of_rows[:, None], 0)
    return jnp.sum(own, axis=2)


def _sums_of_large(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    parts = [
        _summed_by_rows([jnp.pad(t.reshape(-1), (0, -t.size % PARTS)).reshape(PARTS, -1) for t in group])
        for group in groups
    ]
    rows = jnp.stack([part[term] for term in range(len(parts[0])) for part in parts])
    return jnp.sum(rows, axis=1).reshape(-1, len(parts))


def _sums_in_place(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    return jnp.stack([jnp.stack([term.sum() for term in group]) for group in groups], axis=1)


def _summed_by_rows(tables: Sequence[Tensor]) -> Sequence[Tensor]:
    return jax.lax.reduce(list(tables), [jnp.zeros((), jnp.float32)] * len(tables), _add, (1,))


def _add(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(a + b for a, b in zip(left, right, strict=True))
