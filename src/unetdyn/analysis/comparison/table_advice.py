"""Which cell of a table of runs to take, in a sentence or two that say how sure that is."""

from dataclasses import dataclass, replace

import numpy as np

from unetdyn.analysis.comparison.choices import Choice
from unetdyn.analysis.comparison.probability_of_best import Candidate, ProbabilityOfBest, probability_of_best
from unetdyn.analysis.comparison.recommendation import Recommendation, recommend
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.result import Result, interval, number

_WORDS = {"performance": "performance", "final": "last value", "stability": "σ"}


@dataclass(frozen=True)
class Advice(Result):
    """What `advise` found.

    Attributes:
        sentence: Which settings to take and how sure that is, each number with its n.
        recommendation: The best and the next, compared over their seeds; None where no run could be.
        probability: The same of all that were eligible, with the probability that each is the best; None likewise.
        not_calm: The cells whose mean σ is not below the bound, which are not eligible.
    """

    sentence: str
    recommendation: Recommendation | None = None
    probability: ProbabilityOfBest | None = None
    not_calm: tuple[str, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """The cell that is recommended, with its probability; None where none is."""
        found, probability = self.recommendation, self.probability
        if found is None or found.best is None or probability is None:
            return None
        names = {run.name for run in found.best.runs}
        return next((each for each in probability.candidates if each.name in names), None)

    def _rows(self) -> list[tuple[str, str]]:
        return [("take", self.sentence)]


def advise(table: RunTable, response: str, max_sigma: float | None) -> Advice:
    """Which cell has the best mean over its seeds, and how sure that is.

    Args:
        table: Of the runs.
        response: `"performance"`, `"final"` or `"stability"`; for the last, only cells count that are good enough, as
            `recommend` has it.
        max_sigma: Only cells whose mean σ is below it; None for any.

    Returns:
        An `Advice`.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> found = {(0.001, 0): 0.70, (0.001, 1): 0.72, (0.005, 0): 0.60, (0.005, 1): 0.61}
        >>> runs = [
        ...     summarise({"val_jaccard": [value]}, f"{rate}-{seed}", {"learning_rate": rate, "seed": seed})
        ...     for (rate, seed), value in found.items()
        ... ]
        >>> table = RunTable("rates", tuple(runs), {"learning_rate": (0.001, 0.005)})
        >>> print(advise(table, "performance", None).sentence)
        Take learning rate 0.001: mean performance 0.71 (n = 2), the best with 89 %. It is 0.105 more than learning \
rate 0.005 (n = 2, 95 % interval 0.0358 to 0.174). The difference is larger than the scatter over seeds explains.
    """
    if len(table.runs) < 2:
        what = "no run has ended well yet" if not table.runs else "there is one run (n = 1), and nothing beside it"
        return Advice(f"Nothing can be recommended: {what}.")
    means = zip(table.cells(), table.cell_means(), strict=True)
    restless = [cell for cell, mean in means if max_sigma is not None and not mean.stability < max_sigma]
    names, not_calm = tuple(table.factors), tuple(map(table.title, restless))
    calm = [run for run in table.runs if tuple(run.factors.get(name) for name in names) not in restless]
    if not calm:
        return Advice("Nothing can be recommended: no cell has a mean σ below the bound.", not_calm=not_calm)
    if response == "final":
        calm = [replace(run, performance=run.final) for run in calm]
    eligible = replace(table, runs=tuple(calm))
    found = recommend(eligible.without_blocks(), "stability" if response == "stability" else "performance")
    left = [run for run in calm if run.name not in found.excluded]
    probability = probability_of_best(left, None, response, names, blocks=eligible.held)
    advice = Advice("", found, probability, not_calm)
    return replace(advice, sentence=_sentence(table, response, advice))


def title_of(table: RunTable, choice: Choice) -> str:
    """The settings of a choice, in words."""
    return table.title([choice.runs[0].factors.get(name) for name in table.factors])


def _sentence(table: RunTable, response: str, advice: Advice) -> str:
    found, best = advice.recommendation, advice.best
    if found is None or found.best is None:
        why = "there are no runs" if found is None else "no run has a number for it"
        return f"Nothing can be recommended: {why}."
    text = f"Take {title_of(table, found.best)}: mean {_WORDS[response]} {number(found.best.value)}"
    text += f" (n = {len(found.best.runs)})"
    if best is not None and not np.isnan(best.probability):
        text += f", the best with {100 * best.probability:.0f} %"
    if found.runner_up is None:
        return f"{text}; {found.verdict}."
    ends = "" if np.isnan(found.low) else f", 95 % interval {interval(found.low, found.high)}"
    more = "less" if response == "stability" else "more"
    text += f". It is {number(found.difference)} {more} than {title_of(table, found.runner_up)}"
    return f"{text} (n = {len(found.runner_up.runs)}{ends}). {found.verdict[:1].upper()}{found.verdict[1:]}."
