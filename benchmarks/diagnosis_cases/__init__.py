"""The benchmark of the diagnosis: trainings with planted faults, healthy look-alikes, and how both are judged."""
