"""What a configuration says of keys and transactions."""

from pathlib import Path

import pytest

from keeper.app.keys import open_signer
from keeper.app.sections import KeySection, LaneSection, LanesSection, TransactionsSection
from keeper.app.sending import policy_of
from keeper.chain.keys import KeyFileError, create_keystore
from keeper.units.constants import WAD


@pytest.mark.parametrize(("chain_id", "dry"), [(31337, False), (1337, False), (1, True), (42161, True)])
def test_policy_of__nothing_said__sends_on_a_devnet_only(chain_id: int, dry: bool) -> None:
    assert policy_of(TransactionsSection(), chain_id).dry_run == dry


def test_policy_of__said__as_said() -> None:
    assert not policy_of(TransactionsSection(dry_run=False), 1).dry_run
    assert policy_of(TransactionsSection(dry_run=True), 31337).dry_run


def test_policy_of__decimal_texts_are_exact() -> None:
    lanes = LanesSection(oracle=LaneSection(gas_per_day=0.1))
    policy = policy_of(TransactionsSection(value_share=0.1, coin_usd=2_500.7, lanes=lanes), 31337)
    assert (policy.value_share, policy.coin_usd) == (WAD // 10, 25_007 * WAD // 10)
    assert (policy.budget("oracle"), policy.budget("liquidate")) == (10**17, 10**18)


def test_key_section__paths_beside_the_file_and_one_way_only(tmp_path: Path) -> None:
    made = create_keystore(tmp_path / "k.json", tmp_path / "p.txt", light=True)
    section = KeySection(keystore=Path("k.json"), password_file=Path("p.txt")).anchored(tmp_path)
    assert section.problems("keeper") == [] and open_signer(section).address == made.address
    assert KeySection().problems("keeper.next") == ["keeper.next: name a keystore, a web3signer or a kms key"]
    remote = {"url": "ftp://x", "address": made.address, "key": "tls.key"}
    both = KeySection.model_validate({"keystore": "k.json", "web3signer": remote})
    assert len(both.problems("keeper")) == 3
    anchored = both.anchored(tmp_path).web3signer
    assert anchored is not None and anchored.key == tmp_path / "tls.key"


def test_open_signer__key_open_to_others__refused(tmp_path: Path) -> None:
    create_keystore(tmp_path / "k.json", tmp_path / "p.txt", light=True)
    (tmp_path / "p.txt").chmod(0o644)
    section = KeySection(keystore=tmp_path / "k.json", password_file=tmp_path / "p.txt")
    with pytest.raises(KeyFileError, match="chmod 600"):
        open_signer(section)
