"""Duties: observe, decide (pure), act."""
