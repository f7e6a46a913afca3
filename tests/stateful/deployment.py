"""The contracts on a fast chain, deployed once per process and put back to that point after every run."""

from dataclasses import dataclass
from functools import cache

from eth_utils.crypto import keccak

from keeper.clearing.collateral import Listing
from keeper.markets.instrument import Instrument, Kind
from scripts._artifacts import EXTENSIONS
from scripts._protocol import ZERO_ADDRESS, AuctionTerms, DebtTerms
from tests.stateful import typed
from tests.stateful.evm import DEPLOYER, GENESIS_BLOCK, Chain, Contract

GENESIS = 1_743_465_600  # 1 April 2025, a multiple of 300
EXPIRIES = (GENESIS + 3 * 86_400, GENESIS + 8 * 86_400)
USD, WAD = 10**8, 10**18
START = (2_000 * USD, 80_000 * USD)
ATTESTERS = [typed.key(i) for i in range(1, 6)]
THRESHOLD = 3
METHODOLOGY = keccak(text="methodology of the tests")
OUTFLOW_SHARE = 5 * 10**16
FEE_RATES = (-(10**13), 3 * 10**14)  # makers get a rebate
LOT, TICK = 10**17, 10**16
BASIS, CARRY = 2 * 10**16, 2 * 10**17
MARGIN, PRICE_BAND, ANY_TIME = 10**16, 15 * 10**16, 86_400
NO_CAPS = (*[(2**64 - 1) * 10**10] * 3, 0)
SYMBOLS = ("ETH", "BTC")
GRIDS = ((1_200 * USD, 2_800 * USD, 400 * USD), (60_000 * USD, 100_000 * USD, 20_000 * USD))
BANDS = (200, 1_500, 3_000)  # basis points per minute, ten minutes, hour
MAX_AGE, STALE_AFTER, FROZEN_AFTER, MIN_BLOCKS = 120, 180, 600, 4
# index, decimals, underlying, haircuts, cap: a coin of each underlying
LISTINGS = (
    Listing(1, 18, 1, 1_000, 500, 2_000 * 10**18),
    Listing(2, 8, 2, 1_500, 800, 20 * 10**8),
)
DAILY_SHARE, COOLDOWN = WAD // 2, 86_400
# dust large enough for the drawn books to meet it; no grace, so that every flag bites
TERMS = AuctionTerms(dust=500 * WAD, grace=0).values()
# without interest: the model of a conversion charges none
DEBT_TERMS = DebtTerms(interest=0).values()


@dataclass
class Deployment:
    """All contracts, the state to return to, and what callers have to know about them."""

    chain: Chain
    token: Contract
    coins: tuple[Contract, ...]  # in the order of LISTINGS
    markets: Contract
    quorum: Contract
    oracle: Contract
    valuer: Contract
    gate: Contract
    clearinghouse: Contract
    vault: Contract
    fund: Contract
    house: Contract
    sale: Contract
    exchange: Contract
    checkpoint: object = None
    outflow_share: int = OUTFLOW_SHARE
    fee_rates: tuple[int, int] = FEE_RATES
    min_blocks: int = MIN_BLOCKS
    expiries: tuple[int, ...] = EXPIRIES

    @property
    def instruments(self) -> list[int]:
        """What the tests trade: perps, futures, calls and puts of two expiries, of two underlyings."""
        return _instruments(self.expiries)

    def restore(self) -> None:
        """Back to the state right after deployment."""
        self.chain.evm.revert(self.checkpoint)
        self.chain.block, self.chain.timestamp = GENESIS_BLOCK, GENESIS
        self.chain.mine(0, 0)
        self.checkpoint = self.chain.evm.snapshot()


@cache
def _instruments(expiries: tuple[int, ...]) -> list[int]:
    first, second = expiries
    options = [
        (1, first, 1_600),
        (1, first, 2_000),
        (1, first, 2_400),
        (1, second, 2_000),
        (2, first, 80_000),
    ]
    calls = [Instrument(u, e, k * USD, Kind.CALL) for u, e, k in options]
    calls += [Instrument(1, first, 1_200 * USD, Kind.CALL)]
    puts = [Instrument(u, e, k * USD, Kind.PUT) for u, e, k in options]
    perps = [Instrument(u, 0, 0, Kind.PERP) for u in (1, 2)]
    futures = [Instrument(1, e, 0, Kind.FUTURE) for e in expiries]
    return sorted(i.pack() for i in [*calls, *puts, *perps, *futures])


@cache
def deploy(token_name: str = "MockHostileToken") -> Deployment:
    """Everything wired and listed; no accounts and no epoch yet."""
    chain = Chain(GENESIS)
    token = chain.deploy(token_name, 6)
    coins = tuple(chain.deploy("MockToken", listing.decimals) for listing in LISTINGS)
    markets = chain.deploy("Markets")
    quorum = chain.deploy("AttesterQuorum", [typed.address(secret) for secret in ATTESTERS], THRESHOLD)
    limits = (MAX_AGE, STALE_AFTER, FROZEN_AFTER, MIN_BLOCKS)
    oracle = chain.deploy("RiskOracle", quorum.address, limits, ZERO_ADDRESS)
    valuer = chain.deploy("BookValuer", oracle.address, markets.address)
    gate = chain.deploy("MarginGate", oracle.address, valuer.address)
    half = chain.deploy(EXTENSIONS["Clearinghouse"])
    clearing = chain.deploy("Clearinghouse", gate.address, oracle.address, half.address)
    vault = chain.deploy("Vault", clearing.address, token.address, 6, OUTFLOW_SHARE)
    clearing.set_vault(vault.address)
    fund = chain.deploy("InsuranceFund", vault.address, DAILY_SHARE, COOLDOWN)
    claims = chain.deploy("ClaimGate", clearing.address)
    house = chain.deploy("AuctionHouse", clearing.address, claims.address, TERMS)
    sale = chain.deploy("CollateralSale", clearing.address, DEBT_TERMS)
    exchange = chain.deploy("Exchange", clearing.address, markets.address, oracle.address, *FEE_RATES)
    deployment = Deployment(
        chain,
        token,
        coins,
        markets,
        quorum,
        oracle,
        valuer,
        gate,
        clearing,
        vault,
        fund,
        house,
        sale,
        exchange,
    )
    _list_markets(deployment)
    _wire(deployment)
    deployment.checkpoint = chain.evm.snapshot()
    return deployment


def _list_markets(d: Deployment) -> None:
    for symbol, grid in zip(SYMBOLS, GRIDS, strict=True):
        underlying = d.markets.list_underlying(
            (symbol, LOT, TICK, LOT, BASIS, CARRY, MARGIN, PRICE_BAND, ANY_TIME), NO_CAPS
        )
        for expiry in EXPIRIES:
            d.markets.list_expiry(underlying, expiry, grid)


def _wire(d: Deployment) -> None:
    """Spots, methodology, exchange, liquidation and collateral made known."""
    for spot in START:
        d.oracle.add_underlying(spot, BANDS)
    d.oracle.set_methodology(METHODOLOGY)
    d.clearinghouse.set_module(d.exchange.address, True)
    d.clearinghouse.set_auction_house(d.house.address)
    # whoever may set rates and tiers: the rules of the funding contract have tests of their own
    d.clearinghouse.set_funding(DEPLOYER)
    d.clearinghouse.set_risk_manager(DEPLOYER)
    d.vault.set_insurance_fund(d.fund.address)
    d.vault.set_collateral_sale(d.sale.address)
    d.vault.set_fee_recipient(DEPLOYER)
    for coin, one in zip(d.coins, LISTINGS, strict=True):
        spec = (0, one.decimals, one.underlying, one.initial_haircut, one.maintenance_haircut, one.cap)
        d.vault.list_collateral(coin.address, spec)
