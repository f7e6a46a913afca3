"""Portfolios and markets in human units: what margin commands, presets and backtests take."""
