"""Books in memory: those of the index in every block, whatever it adds, takes back or loses."""

import random
from dataclasses import dataclass, field, replace

import pytest

from keeper.chain.contracts import Summary
from keeper.chain.node import BlockRef, NodeError
from keeper.jobs.book_check import BookCheck
from keeper.jobs.books import Books
from keeper.jobs.states import ObservationError, accounts_of, in_force
from keeper.markets.instrument import Instrument, Kind
from keeper.store.index_store import AccountRow, BlockRow, ListingRow
from keeper.units.constants import WAD

PERPS = [Instrument(u, 0, 0, Kind.PERP).pack() for u in (1, 2)]
WETH = ListingRow(1, "0xa", 18, 2, 1_000, 500, 10**24)


def block_of(number: int, fork: str = "a") -> BlockRef:
    return BlockRef(number, f"0x{fork}{number}", f"0x{fork}{number - 1}", 1_000 + number)


@dataclass
class Chain:
    """An index whose blocks are dictionaries of accounts; counts how much is read of it."""

    blocks: list[tuple[BlockRef, dict[int, AccountRow]]] = field(default_factory=list)
    terms: ListingRow = WETH
    full_reads: int = 0
    rows_read: int = 0

    def mine(self, fork: str = "a", **changed: AccountRow) -> BlockRef:
        """A block with some accounts changed: `_3=row`."""
        before = self.blocks[-1][1] if self.blocks else {}
        found = before | {int(name[1:]): row for name, row in changed.items()}
        self.blocks.append((block_of(len(self.blocks), fork), found))
        return self.blocks[-1][0]

    def roll_back(self, number: int) -> None:
        del self.blocks[number + 1 :]

    def block(self, number: int) -> BlockRow | None:
        if number >= len(self.blocks):
            return None
        ref = self.blocks[number][0]
        return BlockRow(ref.number, ref.hash, ref.parent, ref.timestamp)

    def accounts(self, number: int, accounts: list[int] | None = None) -> list[AccountRow]:
        self.full_reads += accounts is None
        rows = [row for account, row in sorted(self.blocks[number][1].items())]
        found = [row for row in rows if accounts is None or row.account in accounts]
        self.rows_read += len(found)
        return found

    def changed(self, after: int, until: int) -> list[int]:
        pairs = zip(self.blocks[after:until], self.blocks[after + 1 : until + 1], strict=True)
        return sorted({a for (_, old), (_, new) in pairs for a in new if new[a] != old.get(a)})

    def listings(self, number: int) -> list[ListingRow]:
        return [self.terms]


def account(number: int, lots: int = 0, coins: int = 0) -> AccountRow:
    positions = ((PERPS[number % 2], lots * WAD),) if lots else ()
    collateral = ((1, coins * WAD),) if coins else ()
    return AccountRow(
        number, "0x", 7 * WAD, abs(lots) * WAD, -lots, bytes([lots % 256]) * 32, positions, collateral
    )


@pytest.fixture
def chain() -> Chain:
    found = Chain()
    found.mine(_1=account(1, 5), _2=account(2), _7=account(7, -3, coins=2))
    return found


def require_right(books: Books, chain: Chain, block: BlockRef) -> None:
    """Rows and columns are those of the chain in a block."""
    census = books.at(block)
    rows = chain.blocks[block.number][1]
    terms = [in_force(chain.terms, block.timestamp)]
    assert dict(census.rows) == rows
    assert census.accounts == accounts_of([rows[a] for a in sorted(rows)], terms)
    assert list(census.accounts) == list(accounts_of([rows[a] for a in sorted(rows)], terms))


def test_at__accounts_change_and_open__only_those_are_read(chain: Chain) -> None:
    books = Books(chain)
    require_right(books, chain, chain.blocks[-1][0])
    chain.rows_read = 0
    require_right(books, chain, chain.mine(_2=account(2, 9), _8=account(8, 1)))
    chain.mine(_1=account(1, 6))
    require_right(books, chain, chain.mine(_9=account(9)))
    assert (chain.full_reads, chain.rows_read) == (1, 4)


def test_at__blocks_replaced_by_others__what_they_changed_is_read_anew(chain: Chain) -> None:
    books = Books(chain)
    require_right(books, chain, chain.blocks[-1][0])
    for lots in (1, 2, 3):
        require_right(books, chain, chain.mine(_2=account(2, lots), **{f"_{10 + lots}": account(10 + lots)}))
    chain.roll_back(1)
    require_right(books, chain, chain.mine(fork="b", _1=account(1, 8)))
    assert chain.full_reads == 1
    chain.roll_back(0)
    chain.blocks[0] = (block_of(0, "c"), {1: account(1, 4)})
    require_right(books, chain, chain.blocks[0][0])
    assert chain.full_reads == 2


def test_at__earlier_blocks__as_they_were_and_the_last_one_stays(chain: Chain) -> None:
    books = Books(chain)
    books.at(chain.blocks[0][0])
    for lots in range(1, 5):
        books.at(chain.mine(_2=account(2, lots), **{f"_{10 + lots}": account(10 + lots, coins=lots)}))
    for block, _ in chain.blocks[::-1]:
        require_right(books, chain, block)
    chain.rows_read = 0
    require_right(books, chain, chain.blocks[-1][0])
    assert chain.rows_read == 0


def test_at__block_gone_meanwhile__refused_and_read_anew(chain: Chain) -> None:
    books = Books(chain)
    gone = chain.mine(_2=account(2, 3))
    chain.roll_back(0)
    other = chain.mine(fork="b")
    with pytest.raises(ObservationError, match="block 1 is no longer 0xa1"):
        books.at(gone)
    require_right(books, chain, other)


def test_at__token_delisted__counts_less_from_block_to_block(chain: Chain) -> None:
    books = Books(chain)
    books.at(chain.blocks[0][0])
    chain.terms = replace(WETH, cap=0, since=1_001, until=1_011)
    haircuts = set()
    for _ in range(4):
        require_right(books, chain, chain.mine())
        (token,) = books.at(chain.blocks[-1][0]).accounts[2].collateral
        haircuts.add(token.initial_haircut)
    assert (len(haircuts), chain.full_reads) == (4, 1)


def test_at__random_histories__always_the_chain(chain: Chain) -> None:
    """Blocks, reorgs of any depth and looks back, in any order."""
    rng = random.Random(5)
    books = Books(chain)
    for step in range(150):
        if rng.random() < 0.2:
            chain.roll_back(rng.randrange(len(chain.blocks)))
        for _ in range(rng.randrange(1, 4)):
            numbers = rng.sample(range(1, 30), rng.randrange(4))
            changed = {f"_{n}": account(n, rng.randrange(-9, 9), rng.randrange(2)) for n in numbers}
            chain.mine(f"x{step}.", **changed)
        require_right(books, chain, chain.blocks[-1][0])
        require_right(books, chain, rng.choice(chain.blocks)[0])


@dataclass
class Lens:
    """What the chain says of accounts; remembers who was asked for."""

    rows: dict[int, AccountRow]
    asked: list[int] = field(default_factory=list)
    is_down: bool = False

    def account_count(self, _at: str) -> int:
        return len(self.rows)

    def summaries(self, _at: str, accounts: list[int]) -> list[Summary]:
        if self.is_down:
            raise NodeError("down")
        self.asked = list(accounts)
        rows = (self.rows[a] for a in accounts)
        return [Summary.of(len(r.positions), r.cash, r.added_im, r.added_mark, r.book_hash) for r in rows]


def run(check: BookCheck, lens: Lens, rows: dict[int, AccountRow]) -> list[int]:
    check.run(lens, block_of(1), rows, accounts_of(rows.values(), []))  # type: ignore[arg-type]
    return lens.asked


def test_check__changed_and_a_sample_in_turn__everybody_after_a_while() -> None:
    rows = {n: account(n, n) for n in range(1, 11)}
    check, lens = BookCheck(sample=3), Lens(dict(rows))
    check.changed([1, 9])
    assert run(check, lens, rows) == [1, 2, 3, 9]
    seen = {account for _ in range(3) for account in run(check, lens, rows)}
    assert seen | {1, 2, 3} == set(rows)


def test_check__node_down__stays_due() -> None:
    rows = {n: account(n, n) for n in range(1, 11)}
    check, lens = BookCheck(sample=1), Lens(dict(rows), is_down=True)
    check.changed([8])
    with pytest.raises(NodeError):
        run(check, lens, rows)
    lens.is_down = False
    assert 8 in run(check, lens, rows)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"positions": ()}, "leg count"),
        ({"cash": 7 * WAD - 1}, "cash"),
        ({"added_im": 1}, "added IM"),
        ({"added_mark": 1}, "added mark"),
        ({"book_hash": bytes(31) + b"\1"}, "book hash"),
    ],
)
def test_check__any_figure_differs__named(changes: dict[str, object], name: str) -> None:
    rows = {n: account(n, n) for n in range(1, 4)}
    lens = Lens(rows | {2: replace(rows[2], **changes)})
    with pytest.raises(ObservationError, match=f"index: {name} of account 2 differs from the chain's"):
        run(BookCheck(), lens, rows)


def test_check__account_missing__told() -> None:
    rows = {n: account(n, n) for n in range(1, 4)}
    with pytest.raises(ObservationError, match="other accounts than the 3 indexed"):
        run(BookCheck(), Lens(rows | {4: account(4)}), rows)


def test_at__compared_with_the_chain_at_a_block__only_what_changed_since_is_due(chain: Chain) -> None:
    before = chain.blocks[-1][0].number
    after = chain.mine(_2=account(2, 9))
    books = Books(chain, checked=before)
    require_right(books, chain, after)
    assert books.check._due == {2}
    afresh = Books(chain)
    require_right(afresh, chain, after)
    assert afresh.check._due == set(afresh.at(after).rows)
