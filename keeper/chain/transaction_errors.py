"""What nodes mean when they refuse a transaction. Their words differ, and none are standardised; what is not
known here is tried again, never taken for success."""

from enum import Enum, auto

from keeper.chain.node import CallError


class Refusal(Enum):
    """KNOWN: they have it, or its nonce is mined. FUNDS: too few coins. UNDERPRICED: it needs higher fees."""

    KNOWN = auto()
    FUNDS = auto()
    UNDERPRICED = auto()
    OTHER = auto()


_WORDS = {
    Refusal.FUNDS: ("insufficient funds", "insufficient balance", "not enough balance"),
    Refusal.UNDERPRICED: (
        "underpriced",
        "less than block base fee",
        "fee too low",
        "feetoolow",
        "gas price too low",
        "max fee per gas less",
    ),
    Refusal.KNOWN: ("already", "known transaction", "nonce too low"),
}


def classify(error: CallError) -> Refusal:
    """Of an error answer to eth_sendRawTransaction."""
    text = error.reason.lower()
    for refusal, words in _WORDS.items():
        if any(word in text for word in words):
            return refusal
    return Refusal.OTHER
