"""A whole network in one file: which processes, over which databases and nodes. A runner executes it on this
machine; a compose file for an image is generated from the same."""
