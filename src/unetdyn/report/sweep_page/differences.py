"""Whether each factor makes a difference: the tests, how large the effects are, and between which levels."""

from collections.abc import Iterator, Sequence

from unetdyn.analysis.comparison.analysis_of_variance import Anova, Effect
from unetdyn.analysis.comparison.robust_tests import RobustTest
from unetdyn.analysis.comparison.run_table import factor_in_words, in_words
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import interval, number
from unetdyn.report.sweep_page.effects import label_of
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Folded, Section, Table, TableRow, listed, percent, sentence

ALPHA = 0.05


def differences_section(found: TableStatistics) -> Section:
    """Whether each factor makes a difference, how large it is, and how sure that is."""
    title = "What makes a difference"
    anova = found.anova
    if isinstance(anova, str):
        return Section("tests", title, [anova])
    sizes = "" if isinstance(found.sizes, str) else f" ({percent(2 * found.sizes.confidence - 1)} interval)"
    header = ["factor", "df", "F", "p", "p by Holm", "Welch's p", "permuted", f"partial η²{sizes}", "ω²", "power"]
    rows = [_effect_row(found, effect) for effect in anova.effects.values()]
    left = f"{anova.residual_df} degrees of freedom left"
    sentences = [
        _verdict(found, anova),
        f"Analysis of variance of {label_of(found)}, n = {anova.runs} {found.table.units_in_words}, {left}.",
    ]
    notes = [
        "p by Holm is to be compared with 0.05 as it is, however many tests there are. Power is the probability to "
        "find an effect of Cohen's large size, f = 0.4, with p below 0.05.",
        *notes_of(found, anova.notes),
        *([] if isinstance(found.robust, str) else notes_of(found, found.robust.notes)),
    ]
    blocks = [f"block {factor_in_words(name)}: {block.df} df, not tested" for name, block in anova.blocks.items()]
    table = Table("Analysis of variance", header, rows)
    return Section("tests", title, sentences, [table, *_differences(found)], [*map(sentence, blocks), *notes])


def _verdict(found: TableStatistics, anova: Anova) -> str:
    """Which factors make a difference that chance does not explain, after Holm."""
    tested = [effect for effect in anova.effects.values() if effect.determined]
    if not tested:
        return "Nothing could be tested: the table says why."
    sure = [factor_in_words(effect.name) for effect in tested if found.adjusted[effect.name] < ALPHA]
    if not sure:
        return f"Chance explains all of it: no p ({_counted(tested)}) is below {ALPHA}."
    verb = "makes" if len(sure) == 1 else "make"
    return sentence(f"{listed(sure)} {verb} a difference that chance does not explain ({_counted(tested)})")


def _counted(tested: Sequence[Effect]) -> str:
    return "one test" if len(tested) == 1 else f"Holm, {len(tested)} tests"


def _effect_row(found: TableStatistics, effect: Effect) -> TableRow:
    if not effect.determined:
        return TableRow(factor_in_words(effect.name), [str(effect.df), effect.reason, *[""] * 7])
    adjusted = found.adjusted[effect.name]
    cells = [str(effect.df), number(effect.f), number(effect.p), number(adjusted)]
    robust = None if isinstance(found.robust, str) else found.robust.tests[effect.name]
    cells += ["", ""] if robust is None else [_welch(robust), number(robust.permutation_p)]
    size = None if isinstance(found.sizes, str) else found.sizes.effects[effect.name]
    ends = "" if size is None or size.reason else f" ({interval(size.low, size.high)})"
    cells += [number(effect.partial_eta_squared) + ends, number(effect.omega_squared), percent(effect.power_large)]
    return TableRow(factor_in_words(effect.name), cells)


def _welch(test: RobustTest) -> str:
    return test.welch_reason or number(test.welch_p)


def _differences(found: TableStatistics) -> Iterator[Folded]:
    """Each two levels of each factor, with intervals that hold for all pairs of the factor at once."""
    if isinstance(found.sizes, str):
        return
    rows = [
        TableRow(
            f"{factor_in_words(factor)}: {in_words(pair.one)} − {in_words(pair.other)}",
            [number(pair.difference), pair.reason or interval(pair.low, pair.high), number(pair.p)],
        )
        for factor, pairs in found.sizes.differences.items()
        for pair in pairs
    ]
    if rows:
        ends = f"{percent(found.sizes.confidence)} interval, all pairs of a factor at once"
        header = [
            f"{found.sizes.method}, n = {found.sizes.runs} {found.table.units_in_words}",
            "difference",
            ends,
            "p, adjusted for the pairs",
        ]
        yield Folded("Differences between levels", len(rows), [Table("Differences between levels", header, rows)])
