"""Instruments and the words that books are made of."""
