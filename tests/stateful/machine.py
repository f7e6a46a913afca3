"""Random sequences of everything users, attesters and time can do, each predicted by the model."""

from collections import Counter

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.stateful import invariants, invariants_access, invariants_liquidation
from tests.stateful.conversion import Conversion
from tests.stateful.deployment import START, deploy
from tests.stateful.epochs import EpochBook
from tests.stateful.liquidation import Liquidation
from tests.stateful.protocol import Protocol
from tests.stateful.rules_attesters import AttesterRules
from tests.stateful.rules_base import TRADERS, USDC
from tests.stateful.rules_liquidation import LiquidationRules
from tests.stateful.rules_users import UserRules
from tests.stateful.world import World

RICH = 400_000
ISOLATED = (1, 0)  # underlying, any expiry
SUMMARY: Counter[str] = Counter()  # of every run in this process


class ClearingMachine(UserRules, AttesterRules, LiquidationRules, RuleBasedStateMachine):
    """Five traders, one of them isolated, and a liquidator; three attesters of five, two underlyings, two
    expiries.
    """

    def __init__(self) -> None:
        super().__init__()
        self.deployment = deploy()
        self.protocol = Protocol(World(self.deployment))
        self.liquidation = Liquidation(self.protocol)
        self.conversion = Conversion(self.protocol)
        self.pending: EpochBook | None = None
        self.numbers: list[int] = []
        self.spots = list(START)

    def teardown(self) -> None:
        self.deployment.restore()
        SUMMARY.update(self.protocol.summary)

    @initialize()
    def open_and_fund(self) -> None:
        for key in range(TRADERS):
            scope = ISOLATED if key == TRADERS - 1 else (0, 0)
            number = self.protocol.open_account(100 + key, scope)
            self.protocol.deposit(number, (20_000 if key % 2 else 4_000) * USDC)
            self.numbers.append(number)
        for number in self.numbers[::2]:
            self.protocol.deposit(number, 15 * 10**18, 1)
        self.liquidator = self.protocol.open_account(200)
        self.protocol.deposit(self.liquidator, RICH * USDC)
        self.conversion.stake(1_000 * USDC)
        self.protocol.post_epoch(self.spots)

    @invariant()
    def holds(self) -> None:
        if self.numbers:
            invariants.check_all(self.protocol)
            invariants_access.check_all(self.protocol)
            invariants_liquidation.check_all(self.liquidation, self.conversion, self.weak())
            self.protocol.summary["step"] += 1
