"""Payoff profiles and the margin methodology."""
