"""Where a training is heading to: models of convergence, and how sure their asymptote is."""
