"""Files for operators, shipped with the package: alert rules and their tests, a dashboard, an image and an
example topology. `plimsoll operations DIR` writes them out. No code."""
