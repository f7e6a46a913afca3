"""Which statements and branches of the contracts the tests execute."""
