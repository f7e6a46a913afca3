"""The Clearinghouse's accounting in Python, to the wei: pure functions over plain states, no I/O and no
clock.
"""
