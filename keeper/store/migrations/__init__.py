"""The steps from one release's tables to the next one's, run by `upgrade.py` when a database is opened."""
