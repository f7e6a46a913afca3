"""The one deployment recipe, for ape scripts, boa and anvil tests, gas figures and the demo.

A pure list of steps over a small `Backend`. The deployer owns everything while it wires,
then hands all of it to the Timelock and keeps nothing.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from typing import Protocol as Shape

from eth_utils.crypto import keccak

from scripts._artifacts import ROOT, artifact, verification

ZERO_ADDRESS = "0x" + "00" * 20
USD8 = 10**8  # 1 USD as a price8
WAD = 10**18


@dataclass(frozen=True)
class Contract:
    """A deployed contract."""

    name: str
    address: str


class Backend(Shape):
    """What the recipe needs from a chain; every call waits and raises if the chain refuses."""

    deployer: str

    def deploy(self, name: str, *arguments: Any) -> Contract: ...
    def send(self, contract: Contract, function: str, *arguments: Any) -> Any: ...
    def call(self, contract: Contract, function: str, *arguments: Any) -> Any: ...


@dataclass(frozen=True)
class Caps:
    """IMarkets.Limits, in coins; seconds in which they rise from a tenth."""

    position: int = 200_000
    instrument: int = 1_000_000
    underlying: int = 5_000_000
    ramp: int = 30 * 86_400

    def values(self) -> tuple[int, int, int, int]:
        """IMarkets.Limits."""
        return self.position * WAD, self.instrument * WAD, self.underlying * WAD, self.ramp


@dataclass(frozen=True)
class FundingTerms:
    """IFunding.Terms: shares of the spot, WAD; the cap per eight hours."""

    dead_zone: int = WAD // 2_000
    max_premium: int = WAD // 50
    cap: int = WAD * 75 // 10_000

    def values(self) -> tuple[int, int, int]:
        """In the order of the contract's struct."""
        return self.dead_zone, self.max_premium, self.cap


@dataclass(frozen=True)
class Underlying:
    """Contract specification, caps, starting spot and bands of an underlying."""

    symbol: str
    lot: int  # WAD
    tick: int  # WAD
    basis: int  # WAD, perps and futures within spot * (1 +- basis)
    carry: int  # WAD per year
    spot8: int  # 1e-8 USD
    bands: tuple[int, int, int]  # basis points per minute, ten minutes, hour
    minimum: int = 0  # WAD; 0: one lot
    margin: int = WAD // 50  # least initial margin of perps and futures: fiftyfold leverage
    price_band: int = WAD // 10  # of the spot, around the mark
    expiry_time: int = 86_400  # seconds after midnight UTC; 86,400: any
    caps: Caps = Caps()
    funding: FundingTerms = FundingTerms()

    def spec(self) -> tuple[str, int, int, int, int, int, int, int, int]:
        """IMarkets.Underlying."""
        minimum = self.minimum or self.lot
        steps = (self.symbol, self.lot, self.tick, minimum)
        return *steps, self.basis, self.carry, self.margin, self.price_band, self.expiry_time


ETH = Underlying("ETH", WAD // 100, WAD // 100, WAD // 50, WAD // 5, 1_800 * USD8, (200, 500, 1_000))
BTC = Underlying("BTC", WAD // 1_000, WAD // 10, WAD // 50, WAD // 5, 82_000 * USD8, (200, 500, 1_000))


@dataclass(frozen=True)
class Collateral:
    """A token beside the settlement token; priced as the spot of an underlying."""

    name: str  # in the deployment record
    decimals: int
    underlying: int  # by order of listing, from 1
    initial_haircut: int  # basis points
    maintenance_haircut: int
    cap: int  # token's decimals
    token: str | None = None  # None: a MockToken
    debt_caps: tuple[int, int, int] = (0, 0, 0)  # ICollateralSale.DebtCaps: basis points, whole units of cash

    def spec(self) -> tuple[int, int, int, int, int, int]:
        """IVault.Collateral; the index is the vault's to choose."""
        return 0, self.decimals, self.underlying, self.initial_haircut, self.maintenance_haircut, self.cap


@dataclass(frozen=True)
class AuctionTerms:
    """IAuctionHouse.Terms: shares WAD, durations seconds."""

    start: int = 98 * WAD // 100
    floor: int = 80 * WAD // 100
    duration: int = 900
    bonus: int = WAD // 2
    bonus_duration: int = 3_600
    minimum_bid: int = WAD // 10
    dust: int = 100 * WAD
    grace: int = 600

    def values(self) -> tuple[int, ...]:
        """In the order of the contract's struct."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class DebtTerms:
    """ICollateralSale.Terms: shares WAD, duration seconds, amounts WAD, interest WAD per year."""

    start: int = 102 * WAD // 100
    floor: int = 95 * WAD // 100
    duration: int = 600
    buffer: int = 0
    interest: int = WAD // 10
    debt_cap: int = 1_000_000 * WAD

    def values(self) -> tuple[int, ...]:
        """In the order of the contract's struct."""
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Bounty:
    """IBounties.Bounty of a kind."""

    kind: int  # KIND_* of Bounties.vy
    reward: int  # thousandths of the settlement token
    calls: int  # a day
    minimum: int  # seconds or WAD, by kind

    def values(self, decimals: int) -> tuple[int, int, int]:
        """In the order of the contract's struct."""
        return self.reward * 10**decimals // 1_000, self.calls, self.minimum


EPOCH_BOUNTY = Bounty(0, 500, 1_440, 60)
SETTLEMENT_BOUNTY = Bounty(1, 1_000, 100, 0)
SETTLE_BOUNTY = Bounty(2, 1_000, 500, 20_000 * WAD)
FLAG_BOUNTY = Bounty(3, 10_000, 50, 10_000 * WAD)
DEBT_BOUNTY = Bounty(4, 500, 200, WAD)
FUNDING_BOUNTY = Bounty(5, 250, 200, 3_600)


@dataclass(frozen=True)
class Split:
    """ITreasury.Split: basis points, and the most that the pot of the bounties holds, whole tokens."""

    fund: int = 4_000
    bounties: int = 1_000
    pot: int = 10_000

    def values(self, decimals: int) -> tuple[int, int, int]:
        """In the order of the contract's struct."""
        return self.fund, self.bounties, self.pot * 10**decimals


@dataclass(frozen=True)
class Parameters:
    """Everything that differs between deployments."""

    attesters: tuple[str, ...]
    threshold: int
    methodology_hash: bytes
    guardian: str
    proposers: tuple[str, ...]  # of the Timelock
    risk_manager: str = ZERO_ADDRESS  # sets credit tiers; zero: nobody
    exit_window: int = 3 * 86_400  # seconds that the Timelock's delay never goes below
    minimum_delay: int = 3 * 86_400  # of the Timelock, seconds
    executors: tuple[str, ...] = (ZERO_ADDRESS,)  # anyone
    token: str | None = None  # None: a MockToken with `token_decimals`
    token_decimals: int = 6
    outflow_share: int = 5 * 10**16  # 5 % of the tokens held per hour
    maker_rate: int = 10**14  # 1 basis point of the notional
    taker_rate: int = 3 * 10**14
    underlyings: tuple[Underlying, ...] = (ETH, BTC)
    limits: tuple[int, int, int, int] = (120, 180, 600, 4)  # maxAge, staleAfter, frozenAfter (s), minBlocks
    expiries: tuple[tuple[int, int, tuple[int, int, int]], ...] = ()  # underlying, expiry, strike grid
    collaterals: tuple[Collateral, ...] = ()
    auctions: AuctionTerms = AuctionTerms()
    debts: DebtTerms = DebtTerms()
    fund_daily_share: int = WAD // 4  # of the insurance fund, that deficits may take in a day
    fund_cooldown: int = 7 * 86_400  # seconds from asking to leaving
    split: Split = Split()  # of the fees
    bounties: tuple[Bounty, ...] = (
        EPOCH_BOUNTY,
        SETTLEMENT_BOUNTY,
        SETTLE_BOUNTY,
        FLAG_BOUNTY,
        DEBT_BOUNTY,
        FUNDING_BOUNTY,
    )


@dataclass(frozen=True)
class Step:
    """A setting that was made: a function of an owner, and its arguments."""

    address: str
    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Deployment:
    """Deployed contracts with their arguments, in the order of deployment, and every setting made since."""

    contracts: dict[str, Contract]
    arguments: dict[str, tuple[Any, ...]]
    deployer: str = ""
    steps: list[Step] = field(default_factory=list)

    def __getitem__(self, name: str) -> Contract:
        return self.contracts[name]

    def address(self, name: str) -> str:
        """Address of a contract by name."""
        return self.contracts[name].address

    def add(self, name: str, contract: Contract, arguments: tuple[Any, ...]) -> str:
        """Keeps a contract under a name; returns its address."""
        self.contracts[name], self.arguments[name] = contract, arguments
        return contract.address


DEPLOYED = (
    "AttesterQuorum",
    "Markets",
    "RiskOracle",
    "BookValuer",
    "MarginGate",
    "ClearinghouseExtension",
    "Clearinghouse",
    "Vault",
    "InsuranceFund",
    "ClaimGate",
    "AuctionHouse",
    "CollateralSale",
    "Exchange",
    "Funding",
    "AccountLens",
    "Bounties",
    "Treasury",
    "Timelock",
)
OWNED = (
    "Markets",
    "RiskOracle",
    "Clearinghouse",
    "Vault",
    "InsuranceFund",
    "AuctionHouse",
    "CollateralSale",
    "Exchange",
    "Funding",
    "Bounties",
    "Treasury",
)
GUARDED = ("Clearinghouse",)


@dataclass
class _Recording:
    """A backend that notes every setting, for the record of the deployment."""

    inner: Backend
    deployer: str
    steps: list[Step]

    def deploy(self, name: str, *arguments: Any) -> Contract:
        return self.inner.deploy(name, *arguments)

    def send(self, contract: Contract, function: str, *arguments: Any) -> Any:
        done = self.inner.send(contract, function, *arguments)
        self.steps.append(Step(contract.address, function, arguments))
        return done

    def call(self, contract: Contract, function: str, *arguments: Any) -> Any:
        return self.inner.call(contract, function, *arguments)


def deploy(chain: Backend, parameters: Parameters) -> Deployment:
    """Deploys, wires, lists, and hands over. The deployer keeps no role."""
    backend = _Recording(chain, chain.deployer, [])
    deployment = _create(backend, parameters)
    _wire(backend, deployment)
    _list_underlyings(backend, deployment, parameters)
    _list_collaterals(backend, deployment, parameters)
    for bounty in parameters.bounties:
        values = bounty.values(parameters.token_decimals)
        backend.send(deployment["Bounties"], "set_bounty", bounty.kind, values)
    backend.send(deployment["RiskOracle"], "set_methodology", parameters.methodology_hash)
    _hand_over(backend, deployment, parameters)
    return deployment


def _create(backend: _Recording, p: Parameters) -> Deployment:
    made = Deployment({}, {}, backend.deployer, backend.steps)

    def create(name: str, *arguments: Any) -> str:
        return made.add(name, backend.deploy(name, *arguments), arguments)

    token = p.token or create("MockToken", p.token_decimals)
    quorum = create("AttesterQuorum", list(p.attesters), p.threshold)
    markets = create("Markets")
    oracle = create("RiskOracle", quorum, p.limits, ZERO_ADDRESS)
    valuer = create("BookValuer", oracle, markets)
    gate = create("MarginGate", oracle, valuer)
    clearing = create("Clearinghouse", gate, oracle, create("ClearinghouseExtension"))
    vault = create("Vault", clearing, token, p.token_decimals, p.outflow_share)
    # the auction house reads the vault's token from the clearing house
    backend.send(made["Clearinghouse"], "set_vault", vault)
    create("InsuranceFund", vault, p.fund_daily_share, p.fund_cooldown)
    create("AuctionHouse", clearing, create("ClaimGate", clearing), p.auctions.values())
    create("CollateralSale", clearing, p.debts.values())
    create("Exchange", clearing, markets, oracle, p.maker_rate, p.taker_rate)
    create("Funding", clearing, markets)
    create("AccountLens", clearing, made.address("Exchange"))
    create("Treasury", clearing, create("Bounties", clearing, markets), p.split.values(p.token_decimals))
    create("Timelock", p.exit_window, p.minimum_delay, list(p.proposers), list(p.executors))
    return made


def _wire(backend: Backend, deployment: Deployment) -> None:
    """Names the modules that constructors do not."""
    backend.send(deployment["Markets"], "set_clearinghouse", deployment.address("Clearinghouse"))
    backend.send(deployment["Clearinghouse"], "set_module", deployment.address("Exchange"), True)
    backend.send(deployment["Clearinghouse"], "set_funding", deployment.address("Funding"))
    backend.send(deployment["Clearinghouse"], "set_auction_house", deployment.address("AuctionHouse"))
    backend.send(deployment["Vault"], "set_insurance_fund", deployment.address("InsuranceFund"))
    backend.send(deployment["Vault"], "set_collateral_sale", deployment.address("CollateralSale"))
    backend.send(deployment["Vault"], "set_fee_recipient", deployment.address("Treasury"))


def _list_underlyings(backend: Backend, deployment: Deployment, p: Parameters) -> None:
    for number, underlying in enumerate(p.underlyings, 1):
        backend.send(deployment["Markets"], "list_underlying", underlying.spec(), underlying.caps.values())
        backend.send(deployment["RiskOracle"], "add_underlying", underlying.spot8, underlying.bands)
        backend.send(deployment["Funding"], "set_terms", number, underlying.funding.values())
    for identifier, expiry, grid in p.expiries:
        backend.send(deployment["Markets"], "list_expiry", identifier, expiry, grid)


def _list_collaterals(backend: Backend, deployment: Deployment, p: Parameters) -> None:
    for collateral in p.collaterals:
        token = collateral.token
        if token is None:
            mock = backend.deploy("MockToken", collateral.decimals)
            token = deployment.add(collateral.name, mock, (collateral.decimals,))
        backend.send(deployment["Vault"], "list_collateral", token, collateral.spec())
        if any(collateral.debt_caps):
            backend.send(deployment["CollateralSale"], "set_debt_caps", token, collateral.debt_caps)


def _hand_over(backend: Backend, deployment: Deployment, p: Parameters) -> None:
    backend.send(deployment["Clearinghouse"], "set_risk_manager", p.risk_manager)
    for name in GUARDED:
        backend.send(deployment[name], "set_guardian", p.guardian)
    for name in OWNED:
        backend.send(deployment[name], "transfer_ownership", deployment.address("Timelock"))


def with_expiries(p: Parameters, *expiries: tuple[int, int, tuple[int, int, int]]) -> Parameters:
    """The same parameters with more expiries listed before the hand-over."""
    return replace(p, expiries=(*p.expiries, *expiries))


def write_record(
    deployment: Deployment,
    chain_id: int,
    block: int,
    folder: Path = ROOT / "deployments",
    verified: bool = True,
    code_of: Callable[[str], bytes] | None = None,
) -> Path:
    """Writes <folder>/<chain id>.json, which `ape run verify` reads back, and, if `verified`, a standard-json
    input per contract, from which anyone reproduces its code; a devnet needs none. `code_of`, of an address,
    puts the hash of the code there into the record: a keeper compares it with its own node's."""
    inputs = folder / str(chain_id)
    inputs.mkdir(parents=True, exist_ok=True)
    contracts, integrity = {}, {}
    for name, contract in deployment.contracts.items():
        if verified:
            integrity[name], standard_json = verification(contract.name)
            (inputs / f"{name}.json").write_text(standard_json + "\n")
        contracts[name] = {
            "address": contract.address,
            "type": contract.name,
            "arguments": _plain(deployment.arguments[name]),
            "abi": artifact(contract.name).abi,
        }
        if code_of is not None:
            contracts[name]["code_hash"] = "0x" + keccak(code_of(contract.address)).hex()
    record = {
        "chain_id": chain_id,
        "block": block,
        "commit": _commit(),
        "compiler": "0.4.3",
        "deployer": deployment.deployer,
        "integrity": integrity,
        "contracts": contracts,
        "steps": [
            {"address": step.address, "function": step.function, "arguments": _plain(step.arguments)}
            for step in deployment.steps
        ],
    }
    path = folder / f"{chain_id}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    return path


def _plain(value: Any) -> Any:
    """A value as JSON keeps it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _commit() -> str | None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
