"""U-Nets as functions that return a `keras.Model` with named blocks."""
