"""The claim as a keeper's API gives it: the fields of the contract's struct, in its order."""

CLAIM_FIELDS = (
    "instruments",
    "way",
    "leaf",
    "path",
    "epoch",
    "deadline",
    "signatures",
    "changes",
    "units",
    "unitPaths",
)
