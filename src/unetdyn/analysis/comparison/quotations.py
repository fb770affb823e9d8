"""What the studies found and what was counted, by what a user asks `recommend` for."""

from unetdyn.analysis.quoted_table import Note, QuotedTable
from unetdyn.analysis.studies_tables import (
    BEFORE_AND_AFTER,
    CONVERGENCE_FIRST,
    DECISION_MATRIX,
    OPTIMAL_CONFIGURATIONS,
    RECOMMENDED_SETTINGS,
    SELECTION_GUIDE,
    SENSITIVITY,
    STABILITY_BEFORE_AND_AFTER,
    UPDATE_VARIANCE,
)

PARAMETERS = QuotedTable(
    "Parameters",
    ("architecture", "millions"),
    (("Standard U-Net", 31.4), ("Attention U-Net", 37.3), ("Attention ResU-Net", 39.1)),
    "counted by this project's tests",
    (Note("The tutorial models, variant='bnsreenu', with 64 filters and one channel."),),
)

QUOTATIONS = {
    "performance": (
        DECISION_MATRIX.only("peak performance"),
        SELECTION_GUIDE.only("maximum performance"),
        OPTIMAL_CONFIGURATIONS,
        BEFORE_AND_AFTER,
    ),
    "stability": (
        DECISION_MATRIX.only("stability"),
        SELECTION_GUIDE.only("training stability"),
        STABILITY_BEFORE_AND_AFTER,
        UPDATE_VARIANCE,
    ),
    "balanced": (DECISION_MATRIX, SELECTION_GUIDE, OPTIMAL_CONFIGURATIONS),
    "memory": (DECISION_MATRIX.only("memory efficiency"), PARAMETERS),
    "speed": (
        DECISION_MATRIX.only("fast training"),
        SELECTION_GUIDE.only("maximum performance"),
        CONVERGENCE_FIRST,
    ),
    "sensitivity": (DECISION_MATRIX.only("hyperparameter sensitivity"), SENSITIVITY, RECOMMENDED_SETTINGS),
}
"""The tables that bear on each priority of `recommend`."""
