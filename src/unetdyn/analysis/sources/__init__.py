"""What a training has logged, in the forms in which people have it: one file a form; `paths.py` tells them apart."""
