"""The same image in two parts of a split, also where a copy was converted, scaled, inverted, turned or mirrored."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np

from unetdyn.data.stack import Stack

_TOO_PLAIN = 2  # grey levels: a blank with a frame looks like any other, so only an exact copy counts


def same_images(parts: Mapping[str, Stack]) -> list[str]:
    """One sentence for each image that an earlier part has too.

    Two images are the same where one is the other after any change that keeps the order of its grey values (another
    depth, a linear scaling, a gamma) or turns it round, and after turns by 90° and mirroring. Those are the copies that
    conversion and augmentation on disk make. What was cropped, resized, compressed or made noisy is not recognised. An
    image of one grey value gives nothing away, and is passed over.

    Most images are told apart by how many pixels each of their grey levels has, which no such change alters, so the
    dear comparison is for the few that agree in it.
    """
    places = [(part, index) for part, stack in parts.items() for index in range(len(stack))]
    counts = [_level_counts(parts[part].images[index]) for part, index in places]
    often = Counter(counts)
    exact: dict[bytes, tuple[str, int]] = {}
    alike: dict[bytes, tuple[str, int]] = {}
    findings = []
    for place, count in zip(places, counts, strict=True):
        if count is None or often[count] == 1:
            continue
        image = parts[place[0]].images[place[1]]
        first, what = exact.setdefault(_digest(image), place), "are the same image"
        if first[0] == place[0] and len(np.unique(image)) > _TOO_PLAIN:
            first = alike.setdefault(_form(image), place)
            what = "are the same image in other grey values, turned or mirrored"
        if first[0] != place[0]:
            names = [f"{part} {parts[part].names[index]!r}" for part, index in (first, place)]
            findings.append(f"{names[0]} and {names[1]} {what}.")
    return findings


def _level_counts(image: np.ndarray) -> bytes | None:
    """How many pixels each grey level has, from either end; None for an image of one colour."""
    if (image == image[:1, :1]).all():
        return None
    if image.dtype.kind == "u":  # ten times as fast as to sort, and the same
        counts = np.bincount(image.ravel())
        counts = counts[counts > 0]
    else:
        counts = np.unique(image, return_counts=True)[1]
    return min(counts.tobytes(), counts[::-1].tobytes())


def _form(image: np.ndarray) -> bytes:
    """What is left of an image without its grey values, their direction and its position: one digest for all copies."""
    values, ranks = np.unique(image, return_inverse=True)
    ranks = ranks.reshape(image.shape).astype(np.uint32)
    forms = []
    for order in (ranks, np.uint32(len(values) - 1) - ranks):
        for turns in range(4):
            turned = np.rot90(order, turns)
            forms += [_digest(turned), _digest(turned[:, ::-1])]
    return min(forms)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()
