"""What a transaction may cost: EIP-1559 fees, their replacement, and a cap that follows the value at risk.

Fees are wei per gas.
"""

from dataclasses import dataclass

from keeper.units.constants import WAD

_HOUR = 3_600
_LAST_PRIORITY = 2
_BUMP = (9, 8)  # of both fields: nodes ask for a tenth more


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees, wei."""

    max_fee: int
    tip: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How much a transaction may cost and how long it may take.

    Attributes:
        max_attempts: signatures of one intent, replacements included; also retries of what fails before.
        replace_after_blocks: not mined for so long, it is replaced at higher fees.
        tip: of the first attempt.
        floor_fee: what any transaction may cost, whatever is at risk.
        max_fee: of an intent of whose value at risk nothing is known.
        value_share: of the value at risk, WAD, that may be spent on gas.
        coin_usd: USD per coin, WAD.
        gas_limit: of any transaction.
        final_blocks: mined so deep, it is final.
        cooldown_seconds: of chain time after a failure; doubles with each, up to an hour.
        max_in_flight: transactions of one key that are out and not mined; a quarter of them is kept for
            what is more urgent than housekeeping.
        gas_per_day: wei that a lane may spend a day, by its name; a lane not named has no limit.
        dry_run: nothing is sent.
    """

    max_attempts: int = 8
    replace_after_blocks: int = 3
    tip: int = 10**9
    floor_fee: int = 30 * 10**9
    max_fee: int = 500 * 10**9
    value_share: int = WAD // 20
    coin_usd: int = 10_000 * WAD
    gas_limit: int = 8_000_000
    final_blocks: int = 64
    cooldown_seconds: int = 4
    max_in_flight: int = 64
    gas_per_day: tuple[tuple[str, int], ...] = ()
    dry_run: bool = False

    def cap(self, value_at_risk: int, gas: int) -> int:
        """Highest fee per gas: no constant where something is at stake, or nothing is liquidated when gas is
        dear. `value_at_risk` is USD, WAD; `gas` what the transaction uses at most."""
        if value_at_risk == 0:
            return self.max_fee
        worth = value_at_risk * self.value_share // self.coin_usd // max(gas, 1)
        return max(worth, self.floor_fee)

    def cooldown(self, failures: int) -> int:
        """Seconds to wait after the n-th failure."""
        return min(self.cooldown_seconds << min(failures, 12), _HOUR)

    def room(self, priority: int) -> int:
        """How many transactions may be out when one of this priority joins them."""
        kept = self.max_in_flight // 4 if priority >= _LAST_PRIORITY else 0
        return self.max_in_flight - kept

    def budget(self, lane: str) -> int | None:
        """Wei that a lane may spend a day, None without a limit."""
        return dict(self.gas_per_day).get(lane)


def first_fees(base_fee: int, tip: int, cap: int) -> Fees | None:
    """Fees that survive two full blocks of rising base fee, inside the cap; None if the next block is dearer
    than that."""
    if base_fee > cap:
        return None
    max_fee = min(2 * base_fee + tip, cap)
    return Fees(max_fee, min(tip, max_fee))


def replacement_fees(previous: Fees, base_fee: int, tip: int, cap: int) -> Fees | None:
    """Both fees at least 12.5 % above the previous ones, rounded up; None beyond the cap."""
    raised = Fees(_raised(previous.max_fee), _raised(previous.tip))
    max_fee = max(raised.max_fee, min(2 * base_fee + max(tip, raised.tip), cap), raised.tip)
    return None if max_fee > cap else Fees(max_fee, raised.tip)


def _raised(fee: int) -> int:
    up, down = _BUMP
    return -(-fee * up // down)
