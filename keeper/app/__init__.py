"""The composition root: the only place that reads configuration, environment and arguments."""
