"""Which mask belongs to which image, told by their names alone: by a rule, never by a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable

from unetdyn.data.files import list_some
from unetdyn.data.pairing_hint import nearest_hint, pair_hint

MASK_SUFFIXES = ("_mask", "-mask", "_masks", "_label", "-label", "_labels")
Pair = tuple[str, str]


def check_pair(pair: object) -> None:
    """Refuse what is not two patterns with one `{}` each."""
    right = isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
    if pair is None or (right and all(part.count("{}") == 1 for part in pair)):  # type: ignore[attr-defined]
        return
    raise ValueError(
        "`pair` must be two patterns, of the images' and of the masks' names, each with one {} for what they have in "
        f'common, such as ("image_{{}}", "mask_{{}}"), or None. Received: pair={pair!r}.'
    )


def pair_names(images: Iterable[str], masks: Iterable[str], pair: Pair | None = None) -> dict[str, list[str]]:
    """The names of the masks of each image, in the images' order.

    Args:
        images: Names without extension, each once; `p01/s003` for one in a sub-folder.
        masks: The same for masks.
        pair: Patterns, as `read_folder` describes them. Default `None`: a mask has the name of its image, or that
            with one of `MASK_SUFFIXES`.

    Returns:
        For each image its masks: one, or several where the masks' pattern has a `*`.

    Raises:
        ValueError: Where a name has no partner, does not suit its pattern, or two claim one place.

    Example:
        >>> from unetdyn.data.pairing import pair_names
        >>> pair_names(["a", "b"], ["b_mask", "a"])
        {'a': ['a'], 'b': ['b_mask']}
        >>> pair_names(["image_1"], ["mask_1"], pair=("image_{}", "mask_{}"))
        {'image_1': ['mask_1']}
    """
    images, masks = list(images), list(masks)
    image_keys = _keys(images, pair[0], "images") if pair else {name: name for name in images}
    if pair:
        mask_keys = _keys(masks, pair[1], "masks")
    else:
        mask_keys = {name: name if name in image_keys else _without_suffix(name) for name in masks}
    of_key: dict[str, list[str]] = {}
    for name, key in image_keys.items():
        if key in of_key:
            other = next(other for other in images if image_keys[other] == key)
            raise ValueError(
                f"Each image must have a name of its own. Received: pair={pair!r}, with which {other!r} and {name!r} "
                f"are both {key!r}. Choose a pattern whose {{}} tells them apart."
            )
        of_key[key] = []
    for name, key in mask_keys.items():
        if of_key.get(key) and not (pair and "*" in pair[1]):
            raise ValueError(
                f"Each image must have one mask. Received: two masks for image {key!r}, one of them {name!r}. "
                f"Remove or rename one; where the masks of one image are to be united, pass `pair` with a * for what "
                f'tells them apart, such as ("{{}}", "{{}}_*").'
            )
        of_key.get(key, []).append(name)
    lonely = [name for name, key in image_keys.items() if not of_key[key]]
    strangers = [name for name, key in mask_keys.items() if key not in of_key]
    if lonely or strangers:
        nearest = nearest_hint([image_keys[name] for name in lonely], [mask_keys[name] for name in strangers])
        advice = ("" if pair else pair_hint(images, masks)) or " ".join(filter(None, (nearest, _advice(pair))))
        raise ValueError(
            f"Each image must have a mask of its name, and each mask an image. Received: "
            f"{len(lonely)} images without a mask: {list_some(lonely)}; "
            f"{len(strangers)} masks without an image: {list_some(strangers)}. {advice}"
        )
    return {name: of_key[key] for name, key in image_keys.items()}


def tell_apart(names: Iterable[str], pair: Pair | None = None) -> tuple[list[str], list[str]]:
    """Images and masks that lie in one folder, by the masks' suffix or by the patterns.

    A name that suits both patterns, such as `a_mask` with `("{}", "{}_mask")`, goes to the one that says more.

    Example:
        >>> from unetdyn.data.pairing import tell_apart
        >>> tell_apart(["a", "a_mask", "b", "b_mask"])
        (['a', 'b'], ['a_mask', 'b_mask'])
    """
    names = list(names)
    if pair is None:
        masks = [name for name in names if _without_suffix(name) != name and _without_suffix(name) in names]
        return [name for name in names if name not in masks], masks
    weights = [len(pattern.replace("{}", "").replace("*", "")) for pattern in pair]
    parts: tuple[list[str], list[str]] = ([], [])
    for name in names:
        fits = [_key(name, pattern) is not None for pattern in pair]
        if all(fits) and weights[0] == weights[1]:
            raise ValueError(
                "`pair` must tell images from masks, which lie in one folder. "
                f"Received: pair={pair!r}, of which both suit {name!r}. One of them must say more."
            )
        is_mask = weights[1] > weights[0] if all(fits) else fits[1]
        parts[is_mask].append(name)
    return parts


def _keys(names: list[str], pattern: str, what: str) -> dict[str, str]:
    keys = {name: _key(name, pattern) for name in names}
    unfit = [name for name, key in keys.items() if key is None]
    if unfit:
        raise ValueError(
            f"`pair` must suit the names of all {what}. Received: the pattern {pattern!r}, which does not suit "
            f"{list_some(unfit)}. Change it, or move those files out of the folder."
        )
    return {name: key for name, key in keys.items() if key is not None}


def _key(name: str, pattern: str) -> str | None:
    """What stands for `{}`; a pattern without a slash is about the last part of a name, and its folder is kept."""
    folder, slash, stem = ("", "", name) if "/" in pattern else name.rpartition("/")
    expression = re.escape(pattern).replace(r"\{\}", "(.+)").replace(r"\*", "[^/]*")
    found = re.fullmatch(expression, stem)
    return folder + slash + found[1] if found else None


def _without_suffix(name: str) -> str:
    suffix = next((suffix for suffix in MASK_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def _advice(pair: Pair | None) -> str:
    if pair:
        return f"The patterns were pair={pair!r}; change them, or rename or remove those files."
    return (
        f"Rename or remove those files; a mask's stem may end in {', '.join(MASK_SUFFIXES)}, and for other names there "
        'is `pair`, such as ("image_{}", "mask_{}").'
    )
