"""What makes a difference: the tests and their sizes, and the effects as pictures."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from unetdyn.analysis.comparison.slopes import Slope
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import interval, number
from unetdyn.report.drawing import shared_name
from unetdyn.report.exponent import ExponentDisplay
from unetdyn.report.interactions import MOST_PAIRS, InteractionsDisplay
from unetdyn.report.levels import RESPONSES, Scatter
from unetdyn.report.main_effects import MainEffectsDisplay
from unetdyn.report.page.pictures import Picture, picture
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Grid, Section, Table, TableRow, percent


def label_of(found: TableStatistics) -> str:
    """The response, as an axis calls it."""
    watched = shared_name(run.watched for run in found.table.runs)
    loss = shared_name(run.watched_loss for run in found.table.runs)
    return RESPONSES[found.response].format(watched=watched, loss=loss)


def scatter_of(found: TableStatistics) -> Scatter:
    """What runs of equal settings differ by: the residual of the analysis of variance, if that is of runs."""
    anova = found.anova
    if found.table.sampled or isinstance(anova, str) or not anova.residual_df or not anova.residual_sum_of_squares:
        return Scatter(float("nan"), 0)
    return Scatter(float(np.sqrt(anova.residual_sum_of_squares / anova.residual_df)), anova.residual_df)


def pictures_section(found: TableStatistics) -> Iterator[Section]:
    """The effects drawn; nothing where no setting differs."""
    table, label, scatter = found.table, label_of(found), scatter_of(found)
    if not table.factors or len(table.runs) < 2:
        return
    make = partial(MainEffectsDisplay.from_table, table, found.response, scatter, label)
    pictures = [picture(make, "Main effects", "main-effects")]
    notes = ["Means are of the runs as they are: where cells are missing, they hold the other factors' effects too."]
    pairs = len(table.grouped_by) * (len(table.grouped_by) - 1) // 2
    if pairs:
        make_two = partial(InteractionsDisplay.from_table, table, found.response, scatter, label)
        pictures.append(picture(make_two, "Interactions", "interactions"))
    if pairs > MOST_PAIRS:
        notes.append(f"{pairs - MOST_PAIRS} pairs of factors more are not drawn.")
    yield Section("effects", "The effects", parts=[Grid(pictures)], notes=notes)


def slopes_section(found: TableStatistics) -> Section:
    """What learning rate and batch size do, and how σ grows with the rate."""
    title = "Learning rate and batch size"
    sentences, items, notes = list[str](), list[Table | Picture](), list[str]()
    table = found.table
    if isinstance(found.slopes, str):
        sentences.append(found.slopes)
    else:
        slopes = found.slopes
        rows = [
            _slope_row("learning rate × 10, dJ / d log₁₀ α", slopes.learning_rate),
            _slope_row("one more image in a batch, dJ / d b", slopes.batch_size),
        ]
        header = [f"{label_of(found)}, for", "change", f"{percent(slopes.confidence)} interval"]
        held = f", with {', '.join(slopes.held)} held" if slopes.held else ""
        sentences.append(f"Straight lines through n = {slopes.runs} {table.units_in_words}{held}.")
        items.append(Table("Slopes", header, rows, numbers=False))
        notes += [
            "A rate has an optimum, and on both sides of it a straight line says little.",
            *notes_of(found, slopes.notes),
        ]
    if isinstance(found.exponent, str):
        sentences.append(found.exponent)
    else:
        loss = shared_name(run.watched_loss for run in found.table.runs)
        make = partial(ExponentDisplay.from_table, found.table, f"σ of the {loss}")
        items.append(picture(make, "σ ∝ α^β", "exponent"))
    return Section("slopes", title, sentences, [Grid(items)] if items else [], notes)


def _slope_row(words: str, slope: Slope) -> TableRow:
    if np.isnan(slope.estimate):
        return TableRow(words, ["", slope.reason])
    return TableRow(words, [number(slope.estimate), slope.reason or interval(slope.low, slope.high)])
