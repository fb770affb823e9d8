"""Losses: pure functions on `keras.ops` and thin `keras.losses.Loss` classes around them."""
