"""What attesters sign and serve: typed data, Merkle trees, snapshots, epochs and reports."""
