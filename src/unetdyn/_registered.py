"""Imports every room that registers an object with Keras; loaded as soon as Keras is.

A room with `@keras.saving.register_keras_serializable` in it belongs on this list, or its objects do not load from a
`.keras` file in a process that only imported `unetdyn`.
"""

import unetdyn.losses
import unetdyn.metrics
import unetdyn.models
import unetdyn.schedules  # noqa: F401
