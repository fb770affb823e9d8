"""Imports every module that registers an object with Keras; loaded as soon as Keras is.

A module with `@keras.saving.register_keras_serializable` belongs on this list, or its objects do not load from a
`.keras` file in a process that only imported `unetdyn`.
"""
import unetdyn.models.layers  # noqa: F401

import unetdyn.losses.focal  # noqa: F401
import unetdyn.losses.jaccard  # noqa: F401
import unetdyn.metrics.jaccard  # noqa: F401
import unetdyn.metrics.soft  # noqa: F401
import unetdyn.metrics.thresholded  # noqa: F401
