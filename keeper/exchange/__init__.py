"""Signed orders and their fills."""
