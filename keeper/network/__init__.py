"""HTTP between keepers, and from keepers to wallets: schemas, server, client."""
