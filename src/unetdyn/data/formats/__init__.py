"""Readers of formats that hold arrays: one file a format, each opening a file as a `Volume`."""
