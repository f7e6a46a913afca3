"""Liquidation cascades: forced sales move the price, which forces more sales.

One perpetual, many leveraged accounts, a price shock. In every step accounts below maintenance margin are
liquidated by a policy; what liquidators do not warehouse hits the market, moves the price by linear impact,
part of which comes back as liquidity refills. Every trade is booked against one counterparty at the price of
the step, so coins and money are conserved: what accounts lose, the counterparty or the shortfall holds.

The shape follows the liquidation spirals of M. Brunnermeier, L. Pedersen, "Market liquidity and funding
liquidity", Review of Financial Studies 22 (2009), 2201-2238; linear permanent impact as in A. Kyle,
Econometrica 53 (1985), 1315-1335. The numbers are assumptions, stated in `Setting`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.pricing.kernels import Floats


@dataclass(frozen=True)
class Setting:
    """The market before the shock.

    Attributes:
        accounts: how many; gross: open interest of longs and of shorts each, USD.
        depth: USD that move the price by 1 %.
        recovery: share of the impact that comes back in each step.
        shock: exogenous move of the price, spread over `shock_steps`.
        initial, maintenance: margin rates of the model.
        cushion: mean of equity above the initial margin, as a share of it (exponential).
        size_spread: standard deviation of ln(size).
    """

    accounts: int = 2_000
    gross: float = 1.5e9
    depth: float = 25e6
    recovery: float = 0.05
    shock: float = -0.12
    shock_steps: int = 30
    steps: int = 240
    initial: float = 0.165
    maintenance: float = 0.132
    cushion: float = 0.5
    size_spread: float = 1.3
    seed: int = 11


@dataclass(frozen=True)
class Policy:
    """How accounts are liquidated.

    Attributes:
        is_partial: sell what restores the initial margin, instead of everything.
        pace: most that all auctions together put on the market in a step, as a share of the depth; None: at
            once.
        warehoused: share that bidders keep on their books instead of hedging at once.
        size_tier: extra margin rate for accounts beyond `tier_from` USD.
    """

    name: str
    is_partial: bool
    pace: float | None = None
    warehoused: float = 0.0
    size_tier: float = 0.0
    tier_from: float = 5e6


POLICIES = (
    Policy("everything at once", is_partial=False),
    Policy("partial at once", is_partial=True),
    Policy("partial auctions, bidders keep 30 %", is_partial=True, warehoused=0.3),
    Policy("paced partial auctions", is_partial=True, pace=0.4, warehoused=0.3),
    Policy("paced, size tiers", is_partial=True, pace=0.4, warehoused=0.3, size_tier=0.03),
)


@dataclass(frozen=True)
class CascadeResult:
    """One policy's run.

    Attributes:
        price: after each step, 1 before the shock; `unforced`: the same without liquidations.
        liquidated: share of the open interest; accounts: share of accounts touched.
        bad_debt: negative equity at the end, USD.
        trough: least price; overshoot: how far below the least unforced price, as a share of it.
        coins, money: sums over everyone at the end less those before; 0 but for rounding.
    """

    policy: str
    price: tuple[float, ...]
    unforced: tuple[float, ...]
    liquidated: float
    accounts: float
    bad_debt: float
    trough: float
    overshoot: float
    coins: float
    money: float


@dataclass
class _State:
    position: Floats
    cash: Floats
    market_position: float
    market_cash: float

    def equity(self, price: float) -> Floats:
        return self.cash + self.position * price

    def totals(self, price: float) -> tuple[float, float]:
        """Coins and money of everyone."""
        coins = float(self.position.sum()) + self.market_position
        return coins, float(self.cash.sum()) + self.market_cash + coins * price


def simulate(setting: Setting, policy: Policy) -> CascadeResult:
    """Run one policy."""
    state = _start(setting, policy)
    coins, money = state.totals(1.0)
    touched = np.zeros(setting.accounts, dtype=np.bool_)
    impact, prices, unforced, sold = 0.0, [], [], 0.0
    for step in range(setting.steps):
        exogenous = 1.0 + setting.shock * min(1.0, (step + 1) / setting.shock_steps)
        price = exogenous * (1.0 + impact)
        orders = _orders(state, price, setting, policy)
        touched |= orders != 0.0
        state.position += orders
        state.cash -= orders * price
        state.market_position -= float(orders.sum())
        state.market_cash += float(orders.sum()) * price
        sold += float(np.abs(orders).sum()) * price
        pressure = float(orders.sum()) * price * (1.0 - policy.warehoused)
        impact = max(impact * (1.0 - setting.recovery) + 0.01 * pressure / setting.depth, -0.95)
        prices.append(price)
        unforced.append(exogenous)
    after = state.totals(prices[-1])
    # coins are worth the last price now: compare money at that price
    before_money = money + coins * (prices[-1] - 1.0)
    return CascadeResult(
        policy=policy.name,
        price=tuple(prices),
        unforced=tuple(unforced),
        liquidated=sold / (2.0 * setting.gross),
        accounts=float(touched.mean()),
        bad_debt=float(np.maximum(-state.equity(prices[-1]), 0.0).sum()),
        trough=min(prices),
        overshoot=1.0 - min(prices) / min(unforced),
        coins=after[0] - coins,
        money=after[1] - before_money,
    )


def compare(setting: Setting, policies: Sequence[Policy] = POLICIES) -> list[CascadeResult]:
    """Every policy in the same market."""
    return [simulate(setting, policy) for policy in policies]


def _start(setting: Setting, policy: Policy) -> _State:
    """Half of the accounts long, half short; sizes lognormal; equity above the policy's initial margin."""
    source = np.random.Generator(np.random.PCG64(setting.seed))
    sizes = np.exp(setting.size_spread * source.standard_normal(setting.accounts))
    side = np.where(np.arange(setting.accounts) % 2 == 0, 1.0, -1.0)
    for sign in (1.0, -1.0):
        sizes[side == sign] *= setting.gross / sizes[side == sign].sum()
    position = side * sizes
    rate = setting.initial + _tier(sizes, policy)
    equity = sizes * rate * (1.0 + source.exponential(setting.cushion, setting.accounts))
    return _State(position, equity - position, -float(position.sum()), float(position.sum()))


def _tier(notional: Floats, policy: Policy) -> Floats:
    """Extra margin rate: marginal, so that only what lies beyond the tier carries it."""
    beyond = np.maximum(notional - policy.tier_from, 0.0) / np.maximum(notional, 1.0)
    return np.asarray(policy.size_tier * beyond)


def _orders(state: _State, price: float, setting: Setting, policy: Policy) -> Floats:
    """Coins that liquidations add to each account; the pace is shared pro rata."""
    notional = np.abs(state.position) * price
    tier = _tier(notional, policy)
    equity = state.equity(price)
    below = (equity < (setting.maintenance + tier) * notional) & (notional > 1.0)
    share = np.ones_like(notional)
    if policy.is_partial:
        # selling at the mark keeps equity: what stays must stand at the initial rate
        stays = np.maximum(equity, 0.0) / ((setting.initial + tier) * np.maximum(notional, 1.0))
        share = 1.0 - np.minimum(stays, 1.0)
    orders = np.where(below, -share * state.position, 0.0)
    if policy.pace is not None:
        pressure = abs(float(orders.sum())) * price * (1.0 - policy.warehoused)
        orders = orders * min(1.0, policy.pace * setting.depth / max(pressure, 1.0))
    return np.asarray(orders)
