"""Imports every module that registers an object with Keras; loaded as soon as Keras is.

A module with `@keras.saving.register_keras_serializable` belongs on this list, or its objects do not load from a
`.keras` file in a process that only imported `unetdyn`.
"""

import unetdyn.losses.focal
import unetdyn.losses.jaccard
import unetdyn.metrics.jaccard
import unetdyn.metrics.soft
import unetdyn.metrics.thresholded
import unetdyn.models.layers  # noqa: F401
