# pragma version 0.4.3
"""
@title A price feed of the AggregatorV3 interface that says what it is told
@license AGPL-3.0-only
@notice Test only: stands for a feed of prices, and for a feed of a sequencer's status (0 up, 1 down).
@custom:security None: anyone sets the answer.
@custom:kill Nothing to switch off.
"""

decimals: public(uint8)
round_id: uint80
answer: int256
started_at: uint256
updated_at: uint256
answered_in: uint80


@deploy
def __init__(decimals: uint8):
    """
    @param decimals Decimals of the answers.
    """
    self.decimals = decimals


@external
def set_round(round_id: uint80, answer: int256, started_at: uint256, updated_at: uint256, answered_in: uint80):
    """
    @param round_id The latest round.
    @param answer In `decimals`.
    @param started_at Unix seconds.
    @param updated_at Unix seconds; 0 while the round is not complete.
    @param answered_in Round that the answer is of.
    """
    self.round_id = round_id
    self.answer = answer
    self.started_at = started_at
    self.updated_at = updated_at
    self.answered_in = answered_in


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @return Round, answer, when it started and was updated, and the round that the answer is of.
    """
    return self.round_id, self.answer, self.started_at, self.updated_at, self.answered_in
