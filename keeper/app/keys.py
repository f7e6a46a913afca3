"""Opens the keys that a configuration names, wherever they are."""

from eth_utils.address import to_checksum_address

from keeper.app.sections import KeySection, KmsSection, Web3SignerSection
from keeper.chain.keys import Signer, open_keystore
from keeper.chain.keys_web3signer import Tls, Web3Signer


def open_signer(section: KeySection) -> Signer:
    """Raises KeyFileError or SigningError with one sentence."""
    if section.web3signer is not None:
        return _open_web3signer(section.web3signer)
    if section.kms is not None:
        return _open_kms(section.kms)
    assert section.keystore is not None and section.password_file is not None  # checked when loaded
    return open_keystore(section.keystore, section.password_file)


def _open_web3signer(section: Web3SignerSection) -> Signer:
    tls = Tls(section.authority, section.certificate, section.key)
    return Web3Signer(section.url, to_checksum_address(section.address), section.timeout_seconds, tls)


def _open_kms(section: KmsSection) -> Signer:
    from keeper.chain.keys_kms import KmsSigner  # needs the extra `kms`

    return KmsSigner(section.key_id, section.region, section.endpoint, section.timeout_seconds)
