"""Margin models side by side: ours, and other venues' published ones as data and formulas."""
