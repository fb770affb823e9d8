"""One typed configuration, one fit, one run directory."""
