"""Which trainings there are: each known by its id, from which everything in it follows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .datasets import NAMES
from .faults import Fault
from .healthy import HEALTHY
from .replanted import FAULTS, REPLANTED
from .setups import Setup
from .unseen import UNSEEN

NETS = ("unet", "attention_res_unet")
SEEDS = (0, 1, 2)
STRATA = {"all": 1, "half": 2, "quarter": 4, "replanted": 4}  # of so many pairs of net and data set, one
PLAIN_SEEDS = (0, 1, 2, 3, 4, 5)
TWINS = ("plain", *sorted({fault.twin for fault in FAULTS.values()} - {"plain"}))


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        family: A fault's name, or a healthy variant's.
        severity: 0 to 2; -1 of a healthy one.
        seed: Of weights, order and chance in the fault.
        net: `"unet"` or `"attention_res_unet"`.
        data: `"synthetic"` or `"vnc"`.
        backend: `"jax"` or `"tensorflow"`.
        mended: Whether the advised change is applied.
    """

    family: str
    severity: int
    seed: int
    net: str
    data: str
    backend: str
    mended: bool = False

    @property
    def id(self) -> str:
        """Its name, and that of its folder."""
        severity = "" if self.healthy else f"-{self.severity}"
        end = "-mended" if self.mended else ""
        return f"{self.family}{severity}-{self.net}-{self.data}-{self.seed}-{self.backend}{end}"

    @property
    def healthy(self) -> bool:
        """Whether nothing was planted."""
        return self.family in HEALTHY

    @property
    def fault(self) -> Fault | None:
        """What was planted."""
        return FAULTS.get(self.family)

    @property
    def is_twin(self) -> bool:
        """Whether the advised change makes it the very training of its healthy twin."""
        return self.mended and self.fault is not None and self.setup == HEALTHY[self.fault.twin]

    @property
    def setup(self) -> Setup:
        """What is trained."""
        if self.fault is None:
            return HEALTHY[self.family]
        return (self.fault.mended if self.mended else self.fault.setups)[self.severity]


def cases(
    backend: str,
    stratum: str = "all",
    families: list[str] | None = None,
    data: tuple[str, ...] = NAMES,
    advice: bool = False,
) -> Iterator[Case]:
    """The trainings asked for, in an order in which each stretch has some of everything.

    Args:
        backend: `"jax"` or `"tensorflow"`.
        stratum: `"all"`; `"half"`: each fault and severity with all its seeds and both nets, on one of the data sets,
            in turn; `"quarter"`: of one net. Counted anew for the unseen families. Every plain training, which the
            others are compared with, is in both, and none of the replanted faults; `"replanted"`: of each of these and
            each severity two seeds with the second net and one data set, in turn, and the healthy trainings that they
            are compared with.
        families: Names of faults or healthy variants; None for all.
        data: Data sets that are there.
        advice: The faults with the advised change, instead of all others. Where that is the healthy twin's own set-up
            nothing is trained: `scoring` takes the twin's run.
    """
    known = frozenset(FAULTS) - UNSEEN - REPLANTED
    groups = [[family for family in FAULTS if family in which] for which in (known, UNSEEN, REPLANTED)]
    faults = [counted for group in groups for counted in enumerate(group)]
    for seed in PLAIN_SEEDS:
        for number, (net, name) in enumerate((net, name) for net in NETS for name in NAMES):
            if name not in data:
                continue
            for index, family in enumerate(HEALTHY):
                seeds = PLAIN_SEEDS if family in TWINS else (0,)
                wanted = seed in seeds and (families is None or family in families)
                if wanted and not advice and _counts(stratum, family, index + number, (net, name)):
                    yield Case(family, -1, seed, net, name, backend)
            for index, family in faults:
                seeds = SEEDS[:2] if stratum == "replanted" else SEEDS
                for severity in range(len(FAULTS[family].setups)):
                    case = Case(family, severity, seed, net, name, backend, mended=advice)
                    wanted = seed in seeds and (families is None or family in families)
                    if wanted and not case.is_twin and _counts(stratum, family, index + severity + number, (net, name)):
                        yield case


def _counts(stratum: str, family: str, turn: int, place: tuple[str, str]) -> bool:
    """Whether a family is in a stratum, at a pair of net and data set."""
    if stratum == "replanted":
        net, name = place
        return net == NETS[1] and (family, name) in _replanted()
    return stratum == "all" or family in TWINS or (family not in REPLANTED and turn % STRATA[stratum] == 0)


@cache
def _replanted() -> set[tuple[str, str]]:
    """Families and data sets of the stratum `"replanted"`."""
    places = {(family, NAMES[index % 2]) for index, family in enumerate(f for f in FAULTS if f in REPLANTED)}
    twins = {(FAULTS[family].twin, name) for family, name in places}
    return places | twins | {("plain", name) for name in NAMES}
