"""Random sequences of everything users, attesters and time can do, each predicted by the model."""

from collections import Counter

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.stateful import invariants
from tests.stateful.deployment import START, deploy
from tests.stateful.epochs import EpochBook
from tests.stateful.protocol import Protocol
from tests.stateful.rules_attesters import AttesterRules
from tests.stateful.rules_users import UserRules
from tests.stateful.world import World

TRADERS = 4
USDC = 10**6
SUMMARY: Counter[str] = Counter()  # of every run in this process


class ClearingMachine(UserRules, AttesterRules, RuleBasedStateMachine):
    """Four traders, three attesters of five, two underlyings, two expiries."""

    def __init__(self) -> None:
        super().__init__()
        self.deployment = deploy()
        self.protocol = Protocol(World(self.deployment))
        self.pending: EpochBook | None = None
        self.numbers: list[int] = []
        self.spots = list(START)

    def teardown(self) -> None:
        self.deployment.restore()
        SUMMARY.update(self.protocol.summary)

    @initialize()
    def open_and_fund(self) -> None:
        for key in range(TRADERS):
            number = self.protocol.open_account(100 + key)
            self.protocol.deposit(number, 20_000 * USDC)
            self.numbers.append(number)
        self.protocol.post_epoch(self.spots)

    @invariant()
    def holds(self) -> None:
        if self.numbers:
            invariants.check_all(self.protocol)
            self.protocol.summary["step"] += 1
