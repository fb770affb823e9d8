"""The tables of the studies (docs/studies.md), each with its place in them, and with what in it is wrong.

Cells are what the texts say; what they should say stands in the notes. Where experiments differ their tables
contradict each other: none is better than its source. What the Jaccards around 0.93 are a mean of, the object alone or
both classes, the studies don't say.
"""

from unetdyn.analysis.quoted_table import Note, QuotedTable

_UNET, _ATTENTION, _RESIDUAL = "Standard U-Net", "Attention U-Net", "Attention ResU-Net"
_FIRST = "the studies: training dynamics"
_SECOND = "the studies: convergence analysis"

DECISION_MATRIX = QuotedTable(
    "Decision matrix",
    ("requirement", _UNET, _ATTENTION, _RESIDUAL),
    (
        ("fast training", "no", "yes", "partly"),
        ("stability", "no", "yes", "yes"),
        ("peak performance", "yes", "yes", "partly"),
        ("memory efficiency", "yes", "partly", "no"),
        ("hyperparameter sensitivity", "no", "yes", "partly"),
    ),
    f"{_FIRST}, architecture selection strategy",
    (
        Note(
            "The best epochs in the same text (44, 3, ≈ 20) belong to Jaccards of 0.07: of runs that were not mended, "
            "by all that the other text says.",
            ("fast training",),
        ),
        Note(
            f"The same text has σ = 1.348 for {_RESIDUAL}, which is poor by its own classes; among the mended runs of "
            f"the convergence analysis {_UNET} has the smallest σ, 0.037.",
            ("stability",),
        ),
        Note(f"{_RESIDUAL} has the highest Jaccard in both tables of mended runs.", ("peak performance",)),
        Note('"Yes" is: not sensitive to hyperparameters.', ("hyperparameter sensitivity",)),
    ),
)

SELECTION_GUIDE = QuotedTable(
    "Selection guide",
    ("priority", "architecture", "learning rate", "batch size", "Jaccard", "beside that"),
    (
        ("maximum performance", _UNET, 1e-3, 16, 0.927, "training time ≈ 938 s"),
        ("training stability", _ATTENTION, 5e-3, 16, 0.923, "excellent stability"),
        ("balanced", _RESIDUAL, 1e-3, 16, 0.929, "moderate stability"),
    ),
    f"{_SECOND}, 6.3",
    (
        Note(
            f"The maximum in their own table is the 0.929 of {_RESIDUAL}. On what machine the 938 s were measured is "
            "not said, nor the time of the others.",
            ("maximum performance",),
        ),
        Note(f"σ = 0.044 is good, not excellent, and {_UNET} has 0.037.", ("training stability",)),
        Note(
            f"σ = 1.348 is very poor, not moderate; by their own combined score {_UNET} is first (0.7667), {_RESIDUAL} "
            f"second (0.7000), {_ATTENTION} last (0.2984).",
            ("balanced",),
        ),
    ),
)

OPTIMAL_CONFIGURATIONS = QuotedTable(
    "Optimal configurations",
    ("architecture", "learning rate", "batch size", "validation Jaccard", "σ"),
    (
        (_RESIDUAL, 1e-3, 16, 0.929, 1.348),
        (_ATTENTION, 5e-3, 16, 0.923, 0.044),
        (_UNET, 1e-3, 16, 0.927, 0.037),
    ),
    f"{_SECOND}, 5.1",
    (
        Note(
            "The training dynamics have the same 1.348 beside a best Jaccard of 0.0695, while all mended runs are said "
            "to have 0.01 to 0.05.",
            (_RESIDUAL,),
        ),
        Note(
            "One run each, as far as is said; architectures differ by 0.006 and their test finds nothing (p = 0.695)."
        ),
    ),
)

CONVERGENCE_FIRST = QuotedTable(
    "Convergence, first experiment",
    ("architecture", "best Jaccard", "best epoch", "σ"),
    (
        (_UNET, 0.0683, 44, 1.351),
        (_ATTENTION, 0.0699, 3, "≈ 0.03"),
        (_RESIDUAL, 0.0695, "≈ 20", 1.348),
    ),
    f"{_FIRST}, convergence parameters",
    (
        Note(
            "The 0.030686 Jaccard per epoch that another section gives make 0.0921 at epoch 3: not this table's "
            "0.0699.",
            (_ATTENTION,),
        ),
        Note(
            "Jaccards of 0.07 are those of broken runs, though the text doesn't say so here; its list of runs before "
            "the mending has σ = 0.082 and 0.319 for the two with attention."
        ),
    ),
)

CONVERGENCE_SECOND = QuotedTable(
    "Convergence, second experiment",
    ("architecture", "best epoch", "σ", "pattern"),
    (
        (_ATTENTION, 3, 0.0819, "rapid, then a plateau"),
        (_UNET, 44, 1.351, "gradual, with fluctuations"),
        (_RESIDUAL, 41, 0.3186, "steady"),
    ),
    f"{_SECOND}, 4.3",
    (
        Note("By their own classes 0.0819 is moderate, though called excellent here.", (_ATTENTION,)),
        Note("By their own classes 0.3186 is poor, though called moderate here.", (_RESIDUAL,)),
    ),
)

BEFORE_AND_AFTER = QuotedTable(
    "Before and after: Jaccard",
    ("architecture", "broken", "mended", "times"),
    ((_UNET, 0.076, 0.928, 12.2), (_ATTENTION, 0.09, 0.929, 10.3), (_RESIDUAL, 0.093, 0.937, 10.1)),
    f"{_SECOND}, 4.1",
    (
        Note(
            "More than one change at once: the metric (soft, then thresholded), the data (144, then 1980 patches) and, "
            "as far as can be told, learning rate and batch size. The ratio is of scores of two metrics."
        ),
    ),
)

STABILITY_BEFORE_AND_AFTER = QuotedTable(
    "Before and after: σ of the validation loss",
    ("architecture", "broken", "mended, about", "times"),
    ((_UNET, 1.351, 0.05, 27), (_ATTENTION, 0.082, 0.02, 4), (_RESIDUAL, 0.319, 0.04, 8)),
    f"{_FIRST}, stability transformation",
    (
        Note("4 to 27 times: the convergence analysis says 20 to 100 times, of the same figures."),
        Note(
            "By their own classes the mended 0.01 to 0.05 are good, and 0.05 itself moderate, though called excellent."
        ),
    ),
)

DATA_BEFORE_AND_AFTER = QuotedTable(
    "Before and after: data",
    ("samples", "broken", "mended", "times", "statistical power, times"),
    (("patches", 144, 1980, 13.7, None), ("validation samples", 14, 200, 14.3, 3.78)),
    f"{_SECOND}, 4.2",
    (
        Note(
            "√(200/14) = 3.78: with √N goes one over the standard error of a mean of independent samples, which tiles "
            "of one section are not; the power of a test depends on the size of the effect too. Appendix C has "
            "the 14.3 of the number of samples under validation reliability.",
            ("validation samples",),
        ),
        Note("1980/144 = 13.75.", ("patches",)),
    ),
)

THRESHOLD_SENSITIVITY = QuotedTable(
    "What ten pixels cost",
    ("metric", "ten of", "change in %", "times as sensitive"),
    (("Jaccard", 500, 2.0, "131.1, and 133"), ("accuracy", 65_536, 0.015, None)),
    f"{_SECOND}, 2.4",
    (
        Note(
            "65536/500 = 131.07; the 133 is 2.0 over the rounded 0.015: ten of 65536 are 0.01526 %.",
            ("Jaccard", "accuracy"),
        ),
        Note(
            "It holds for missed pixels of a mask that is right otherwise; a false positive costs less.", ("Jaccard",)
        ),
    ),
)

BOUNDARY_FLIPS = QuotedTable(
    "A collapse and its recovery",
    ("epoch", "validation Jaccard", "said of it"),
    (("2", 0.0288, None), ("3", 0.002, "93 % collapse"), ("4", 0.0797, "3,985 % recovery")),
    f"{_SECOND}, 2.3",
    (
        Note("0.0797/0.0020 = 39.85 times, which is a rise by 3,885 %.", ("4",)),
        Note("They lay it to pixels that cross the threshold of 0.5, from a probability of 0.48 to one of 0.52."),
    ),
)

SENSITIVITY = QuotedTable(
    "Sensitivity to hyperparameters",
    ("factor", "change of the Jaccard", "per", "at", "F", "p"),
    (
        ("learning rate", 0.02, "decade", 1e-3, 1.841, 0.257),
        ("batch size", 0.001, "image more in a batch", 16, None, None),
        ("architecture", None, None, None, 0.387, 0.695),
    ),
    f"{_SECOND}, 5.2",
    (
        Note(
            "Neither effect is significant. Degrees of freedom are not given; F(3, 5) and F(2, 6) of nine runs fit the "
            "p, and nine runs find even a large effect in about one of ten cases: no evidence that there is none."
        ),
    ),
)

UPDATE_VARIANCE = QuotedTable(
    "What a change buys: variance of a weight update",
    ("change", "before", "after", "times smaller"),
    (("learning rate", 1e-2, 1e-3, 100), ("batch size", 8, 16, 2), ("both", None, None, 200)),
    f"{_SECOND}, 3.3",
    (Note("By η²/B, which holds for plain SGD; theirs was Adam, which divides by the gradient's own size."),),
)

RECOMMENDED_SETTINGS = QuotedTable(
    "Recommended settings",
    ("text", "learning rate", "batch size"),
    (
        ("training dynamics", "1e-4 to 5e-4", "larger is more stable"),
        ("convergence analysis", "1e-3 to 5e-3", "16"),
        ("class notes", None, "32 to 256"),
    ),
    "the studies: training dynamics; convergence analysis, appendix B; class notes, mini-batches",
    (Note("Two experiments, and general advice: they don't agree, and none holds for another data set by itself."),),
)

STUDIES_TABLES = {
    "decision matrix": DECISION_MATRIX,
    "selection guide": SELECTION_GUIDE,
    "optimal configurations": OPTIMAL_CONFIGURATIONS,
    "convergence, first experiment": CONVERGENCE_FIRST,
    "convergence, second experiment": CONVERGENCE_SECOND,
    "before and after": BEFORE_AND_AFTER,
    "stability before and after": STABILITY_BEFORE_AND_AFTER,
    "data before and after": DATA_BEFORE_AND_AFTER,
    "threshold sensitivity": THRESHOLD_SENSITIVITY,
    "boundary flips": BOUNDARY_FLIPS,
    "sensitivity": SENSITIVITY,
    "update variance": UPDATE_VARIANCE,
    "recommended settings": RECOMMENDED_SETTINGS,
}
"""Every table, by a short name. The same of your own runs: `recommend`, `combined_score`, `sensitivity`, `anova`."""
