"""Wire schemas of version 1. Integers are decimal text (they exceed 53 bits), bytes 0x text."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keeper.attestation.typed_data import Epoch, MarginLeaf
from keeper.units.constants import MAX_ORDER_LEGS

Number = Annotated[str, Field(pattern=r"^-?[0-9]{1,78}$")]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class Message(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EpochProposal(Message):
    """A whole epoch: the snapshot's canonical JSON, the epoch as the proposer computed it, and its margin
    leaves."""

    number: int = Field(gt=0, lt=2**63)
    snapshot: str
    epoch: list[str]
    margins: list[list[str]]


class SignatureAnswer(Message):
    """EIP-2098 signature over a digest."""

    signer: Address
    digest: Hash
    r: Hash
    vs: Number


class LegMessage(Message):
    """One leg of an order; quantity WAD per unit."""

    instrument: Number
    quantity: Number


class OrderMessage(Message):
    """An order without its signature."""

    account: Number
    legs: list[LegMessage] = Field(min_length=1, max_length=MAX_ORDER_LEGS)
    units: Number
    limit: Number
    max_fee: Number
    nonce: Number
    expiry: Number
    taker: Address
    matcher: Address = "0x" + "00" * 20
    flags: int = 0


class FillAction(Message):
    """A fill of two orders. `parties`: the sides that pass by report, maker first.

    prices: of one whole instrument per leg, WAD; of a single leg it follows from `price` and may be left out.
    counted: whether the transaction presents the instruments' leaves; then the counters U and Q move too.
    """

    kind: Literal["fill"]
    maker: OrderMessage
    taker: OrderMessage
    units: Number
    price: Number
    prices: list[Number] = Field(default=[], max_length=MAX_ORDER_LEGS)
    fill_nonce: Number
    parties: list[Literal["maker", "taker"]] = Field(default=["maker", "taker"], min_length=1, max_length=2)
    counted: bool = False


class WithdrawalAction(Message):
    """A withdrawal, amount in the token's own decimals; `nonce` is the account's withdraw nonce before it."""

    kind: Literal["withdrawal"]
    account: Number
    token: Address
    amount: Number
    recipient: Address
    nonce: Number


class ReportRequest(Message):
    """What a wallet asks the proposer for."""

    action: FillAction | WithdrawalAction = Field(discriminator="kind")


class ReportProposal(Message):
    """What the proposer asks attesters to sign: the action on the market of `epoch`, valid until
    `deadline`."""

    epoch: int
    deadline: int
    action: FillAction | WithdrawalAction = Field(discriminator="kind")


class SignatureMessage(Message):
    """One compact signature."""

    r: Hash
    vs: Number


class SignaturesMessage(Message):
    """A threshold of signatures: in the order of the bitmap's bits."""

    bitmap: Number
    compact: list[SignatureMessage]


class ReportAnswer(Message):
    """Signed reports. `margins` are leaves field by field, `instruments` the whole book after the action,
    per party."""

    epoch: int
    deadline: int
    action: Hash
    margins: list[dict[str, Any]]
    breakdowns: list[dict[str, Any]]
    instruments: list[list[str]]
    signatures: SignaturesMessage


class LeafAnswer(Message):
    """A leaf with its proof against the epoch's root; `breakdown` for margin leaves."""

    epoch: int
    root: Hash
    leaf: dict[str, Any]
    proof: list[Hash]
    breakdown: dict[str, Any] | None = None


class ClaimAnswer(Message):
    """What flags an account or brings its auction up to date: the fields of the auction house's claim.

    `signatures` are none: the claim is by leaf. A change is kind, instrument, quantity, price.
    """

    instruments: list[str]
    way: int
    leaf: list[str]
    path: list[Hash]
    epoch: int
    deadline: int = 0
    signatures: tuple[int, list[str]] = (0, [])
    changes: list[list[str]]
    units: list[list[str]]
    unit_paths: list[list[Hash]] = Field(serialization_alias="unitPaths")


class AuctionAnswer(Message):
    """One open auction; all but times WAD.

    asked: price of all that is left, now; below zero: what the buyer is paid.
    gain: share of the equity (of an insolvent account: of its maintenance margin) that a buyer gains.
    largest: fraction on offer. elapsed, touched: its clock when it was last touched, seconds.
    """

    account: str
    epoch: int
    insolvent: bool
    initial_margin: str
    maintenance_margin: str
    mark: str
    elapsed: int
    touched: int
    asked: str
    gain: str
    largest: str


class CollateralMessage(Message):
    """A balance of collateral, WAD, and the token it is of."""

    index: int
    token: Address
    underlying: int
    amount: str


class AccountAnswer(Message):
    """One account at the head; cash, counters and quantities WAD. `frozen`: it is in an auction. An isolated
    account holds only instruments of `underlying` and, unless that is 0, of `expiry`; 0: a cross account."""

    account: str
    owner: Address
    block: int
    cash: str
    added_im: str
    added_mark: str
    book_hash: Hash
    frozen: bool
    tier: int
    underlying: int
    expiry: int
    positions: list[LegMessage]
    collateral: list[CollateralMessage]


class MarginsAnswer(Message):
    """The margin leaves of all accounts in an epoch, without proofs: for overviews."""

    epoch: int
    margins: list[dict[str, Any]]


class EpochAnswer(Message):
    """One served epoch."""

    number: int
    epoch: dict[str, Any]
    root: Hash
    spots: list[dict[str, str]]
    accounts: list[str]
    instruments: list[str]


def hex_text(value: bytes) -> str:
    """0x text."""
    return "0x" + value.hex()


def plain(value: Any) -> Any:
    """Integers as text, bytes as 0x text."""
    if isinstance(value, bytes):
        return hex_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def texts(values: tuple[Any, ...]) -> list[str]:
    """The fields of a struct as texts."""
    return [str(plain(value)) for value in values]


def epoch_from(values: list[str]) -> Epoch:
    """The inverse of `texts` for an epoch. ValueError if malformed."""
    if len(values) != 9:
        raise ValueError("epoch: nine fields expected")
    numbers = [int(v) for v in values[:3]]
    return Epoch(numbers[0], numbers[1], numbers[2], *(bytes.fromhex(v[2:]) for v in values[3:]))


def margin_from(values: list[str]) -> MarginLeaf:
    """The inverse of `texts` for a margin leaf. ValueError if malformed."""
    if len(values) != 12:
        raise ValueError("margin leaf: twelve fields expected")
    converted: list[Any] = [bytes.fromhex(v[2:]) if i in (3, 11) else int(v) for i, v in enumerate(values)]
    return MarginLeaf(*converted)


CAMEL = [
    "account",
    "addedIM",
    "addedMark",
    "bookHash",
    "markToMarket",
    "initialMargin",
    "maintenanceMargin",
    "markPosted",
    "maintenancePosted",
    "marginal",
    "maxAddedIM",
    "breakdownHash",
]


def margin_fields(leaf: MarginLeaf) -> dict[str, Any]:
    """A margin leaf by the names of its EIP-712 type."""
    return {name: plain(value) for name, value in zip(CAMEL, leaf.values(), strict=True)}
