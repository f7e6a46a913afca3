"""Wire schemas. Integers are decimal text (they exceed 53 bits), bytes 0x text.

Every message names the version of its schema: who speaks another one is refused with both named, instead of
being misread. The OpenAPI document of all of them is `tests/snapshots/openapi.json`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keeper.attestation.typed_data import Epoch
from keeper.units.constants import MAX_ORDER_LEGS

Number = Annotated[str, Field(pattern=r"^-?[0-9]{1,78}$")]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


MAX_PAGE = 10_000  # leaves of one answer


class Part(BaseModel):
    """What messages are made of. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Part):
    """What is sent."""

    schema_version: Literal[2] = 2


class EpochMessage(Part):
    """An epoch, field by field."""

    number: int = Field(gt=0, lt=2**63)
    timestamp: int = Field(ge=0, lt=2**63)
    block_number: int = Field(ge=0, lt=2**63)
    block_hash: Hash
    snapshot_hash: Hash
    methodology_hash: Hash
    market_root: Hash
    margin_root: Hash
    spots_hash: Hash

    @classmethod
    def of(cls, epoch: Epoch) -> "EpochMessage":
        """The message of an epoch."""
        found = {name: getattr(epoch, name) for name in cls.model_fields}
        return cls.model_validate({n: hex_text(v) if isinstance(v, bytes) else v for n, v in found.items()})

    def to_epoch(self) -> Epoch:
        """The epoch of the message."""
        hashes = (self.block_hash, self.snapshot_hash, self.methodology_hash)
        roots = (self.market_root, self.margin_root, self.spots_hash)
        parts = [bytes.fromhex(text[2:]) for text in (*hashes, *roots)]
        return Epoch(self.number, self.timestamp, self.block_number, *parts)


class EpochProposal(Message):
    """What attesters are asked to sign: the market, and the epoch as the proposer computed it.

    Accounts are not in it: each attester takes them from the chain itself, at the epoch's block.

    Attributes:
        patience_seconds: after which the proposer no longer waits, counted from the request's arrival.
        market: canonical JSON.
    """

    patience_seconds: float = Field(gt=0, le=60)
    market: str = Field(max_length=2**20)
    epoch: EpochMessage

    @property
    def number(self) -> int:
        """Of the epoch."""
        return self.epoch.number


class ProposalAnswer(Message):
    """A proposal as it was received: body and authorization prove that its proposer made it."""

    number: int
    proposer: Address
    digest: Hash
    body: str
    authorization: str


class ProposalsAnswer(Message):
    """Proposals received under one number, by proposer and digest."""

    proposals: list[ProposalAnswer]


class SignatureAnswer(Message):
    """EIP-2098 signature over a digest."""

    signer: Address
    digest: Hash
    r: Hash
    vs: Number


class LegMessage(Part):
    """One leg of an order; quantity WAD per unit."""

    instrument: Number
    quantity: Number


class OrderMessage(Part):
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


class FillAction(Part):
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


class WithdrawalAction(Part):
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


class SignatureMessage(Part):
    """One compact signature."""

    r: Hash
    vs: Number


class SignaturesMessage(Part):
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


class CollateralMessage(Part):
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


class LeavesAnswer(Message):
    """A page of an epoch's leaves: `fields` names the columns of `rows`.

    Attributes:
        root: of the tree that all leaves of this kind are in (instruments and forwards share one).
        count: leaves of this kind in the epoch.
        next: offset of the next page, None after the last one.
    """

    epoch: int
    kind: Literal["margins", "instruments", "forwards"]
    root: Hash
    count: int
    offset: int
    next: int | None
    fields: list[str]
    rows: list[list[str]] = Field(max_length=MAX_PAGE)


class EpochAnswer(Message):
    """One served epoch; `accounts` says how many leaves of accounts there are."""

    number: int
    epoch: dict[str, Any]
    root: Hash
    spots: list[dict[str, str]]
    accounts: int
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
