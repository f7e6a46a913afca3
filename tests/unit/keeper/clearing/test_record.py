"""A record in the steps that it is stored in: never to the account's advantage."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.clearing.account import Record
from keeper.clearing.ways import stored
from keeper.units.constants import PRICE_UNIT, WAD

amounts = st.integers(0, 2**110)
records = st.builds(
    Record,
    marginal=st.integers(WAD, 100 * WAD),
    initial_margin=amounts,
    maintenance_margin=amounts,
    max_added_im=st.integers(0, 2**128),
    linear=st.integers(-(2**100), 2**100),
)


@given(records)
def test_stored__any__rounds_against_the_account_by_less_than_a_step(record):
    kept = stored(record)

    assert 0 <= kept.initial_margin - record.initial_margin < PRICE_UNIT
    assert 0 <= kept.maintenance_margin - record.maintenance_margin < PRICE_UNIT
    assert 0 <= kept.marginal - record.marginal < 10**9
    assert 0 <= record.linear - kept.linear < PRICE_UNIT
    assert kept.max_added_im <= record.max_added_im


@given(records)
def test_stored__twice__changes_nothing_more(record):
    assert stored(stored(record)) == stored(record)
