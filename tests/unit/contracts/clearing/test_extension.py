"""The two halves of the Clearinghouse are one contract."""

import json

import boa
import pytest
from eth.exceptions import Revert

from scripts._artifacts import EXTENSIONS, artifact, compiler_output
from tests.support.clearing import source

FIRST, SECOND = "Clearinghouse", EXTENSIONS["Clearinghouse"]


def test_layout__both_halves__is_the_same_word_for_word():
    ours, theirs = artifact(FIRST).layout, artifact(SECOND).layout

    assert ours["storage_layout"] == theirs["storage_layout"]
    assert ours["transient_storage_layout"] == theirs["transient_storage_layout"]
    assert not theirs.get("code_layout")  # a delegate call would not find immutables


def test_functions__both_halves__do_not_overlap_and_make_up_the_abi():
    (text,) = compiler_output(FIRST, "method_identifiers")
    ours, theirs = set(json.loads(text).values()), set(artifact(SECOND).selectors.values())

    assert not ours & theirs
    assert ours | theirs == set(artifact(FIRST).selectors.values())


def test_extension__called_at_its_own_address__changes_nothing(house):
    clearing, stranger = house.clearing, boa.env.generate_address()
    own = source("clearing/ClearinghouseExtension").at(clearing.EXTENSION())
    before = clearing.totals()

    assert own.open_account(stranger) == 1
    with boa.reverts("ownable: caller is not the owner"):
        own.set_gate(stranger, stranger, sender=stranger)

    assert clearing.totals() == before
    assert clearing.account(1).owner == "0x" + "00" * 20


def test_default__ether_or_unknown_function__reverts(house):
    boa.env.set_balance(boa.env.eoa, 1)
    for data, value in ((b"", 1), (b"", 0), (b"\xde\xad\xbe\xef", 0)):
        with pytest.raises(Revert):
            boa.env.raw_call(house.clearing.address, data=data, value=value)


def test_default__reason_of_the_other_half__comes_through(house):
    with boa.reverts("clearing: zero owner"):
        house.clearing.open_account("0x" + "00" * 20)
