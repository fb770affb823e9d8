"""What to do about names that don't pair: only what was tried on these names, or seen to be the difference."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches

_MOST = 20  # names that are compared letter by letter, which is slow
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


def pair_hint(images: list[str], masks: list[str]) -> str:
    """The patterns that pair most of these names, by their folder or by what is the same in all; else nothing.

    >>> pair_hint(["image_1", "image_2"], ["mask_1", "mask_2"])
    'Pass `pair=("image_{}", "mask_{}")`, which pairs 2 of them.'
    """
    patterns = _constant_parts(images, masks)
    paired = len(_middles(images, patterns[0]) & _middles(masks, patterns[1])) if patterns else 0
    if patterns and paired > 1 and 2 * paired > max(len(images), len(masks)):
        return f'Pass `pair=("{patterns[0]}", "{patterns[1]}")`, which pairs {paired} of them.'
    folders, of_masks = ([name.rpartition("/")[0] for name in names] for names in (images, masks))
    if images and all(folders) and len(set(folders)) == len(folders) and set(folders) == set(of_masks):
        return 'Pass `pair=("{}/*", "{}/*")`, which gives the one image of a folder all masks of that folder.'
    return ""


def nearest_hint(images: list[str], masks: list[str]) -> str:
    """The two of these unpaired names that are nearest to each other, and in what they differ; else nothing.

    >>> nearest_hint(["Img_1"], ["img_1"])
    "The nearest are image 'Img_1' and mask 'img_1': they differ in upper and lower case."
    """
    for alike, difference in _DIFFERENCES:
        known = {alike(mask): mask for mask in masks}
        image = next((image for image in images if alike(image) in known), None)
        if image is not None:
            mask = known[alike(image)]
            show = ascii if alike is _look else repr
            return f"The nearest are image {show(image)} and mask {show(mask)}: they differ in {difference}."
    for image in images[:_MOST]:
        near = get_close_matches(image, [mask for mask in masks if _numbers(mask) == _numbers(image)], n=1, cutoff=0.8)
        if near:
            return f"The nearest are image {image!r} and mask {near[0]!r}."
    return ""


def _constant_parts(images: list[str], masks: list[str]) -> tuple[str, str] | None:
    """Patterns of what all images, and what all masks, begin and end with, as far as the two differ."""
    ends = [_ends([name.rpartition("/")[2] for name in names]) for names in (images, masks)]
    (image_front, image_back), (mask_front, mask_back) = ends
    image_front, mask_front = _unlike(image_front, mask_front)
    image_back, mask_back = (part[::-1] for part in _unlike(image_back[::-1], mask_back[::-1]))
    found = f"{image_front}{{}}{image_back}", f"{mask_front}{{}}{mask_back}"
    return None if found[0] == found[1] or "*" in "".join(found) else found


def _ends(names: list[str]) -> tuple[str, str]:
    """The common beginning and end; a number is not cut, as `image_10` and `image_11` share no `1`."""
    if not names:
        return "", ""
    front = _start(names).rstrip("0123456789")
    back = _start([name[len(front) :][::-1] for name in names])[::-1].lstrip("0123456789")
    return front, back


def _start(names: list[str]) -> str:
    """What all begin with."""
    first, last = min(names), max(names)
    return first[: next((place for place, letter in enumerate(first) if not last.startswith(letter, place)), None)]


def _unlike(first: str, second: str) -> tuple[str, str]:
    """Two beginnings without the letters that both end with: `img_ca` and `msk_ca` are `img_` and `msk_`."""
    if first == second:
        return "", ""
    shared = len(_start([first[::-1], second[::-1]]))
    letters = len(first[len(first) - shared :].lstrip("_-. "))
    return first[: len(first) - letters], second[: len(second) - letters]


def _middles(names: list[str], pattern: str) -> set[str]:
    front, back = pattern.split("{}")
    split = [name.rpartition("/") for name in names]
    return {
        folder + slash + stem[len(front) : len(stem) - len(back)]
        for folder, slash, stem in split
        if stem.startswith(front) and stem.endswith(back) and len(stem) > len(front) + len(back)
    }


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _look(name: str) -> str:
    return unicodedata.normalize("NFKC", name).translate(_INVISIBLE)


def _stripped(name: str) -> str:
    return "/".join(" ".join(part.split()) for part in _look(name).split("/"))


def _unpadded(name: str) -> str:
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), _look(name))


def _folded(name: str) -> str:
    return _look(name).casefold()


def _plain(name: str) -> str:
    return _unpadded(_stripped(name)).casefold()


def _last(name: str) -> str:
    return name.rpartition("/")[2]


_DIFFERENCES = (
    (_look, "characters that look alike"),
    (_stripped, "blanks"),
    (_folded, "upper and lower case"),
    (_unpadded, "the zeros before a number"),
    (_plain, "blanks, case or zeros"),
    (_last, "the folder they lie in"),
)
"""By which of two names are alike, and so in what else they differ."""
