"""Keys that are elsewhere: web3signer by its documented API, over TLS too, and AWS KMS."""

import datetime
import ipaddress
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import NameOID
from eth_account import Account
from eth_utils.crypto import keccak
from moto import mock_aws
from moto.kms.utils import ECDSAPrivateKey

from keeper.app.keys import open_signer
from keeper.app.sections import KeySection, KmsSection, Web3SignerSection
from keeper.attestation.typed_data import recover
from keeper.chain.keys import KeyFileError, Signer, SigningError, signer_of
from keeper.chain.keys_kms import KmsSigner
from keeper.chain.keys_web3signer import Tls, Web3Signer
from keeper.chain.node import Node
from keeper.chain.transaction_codec import Transaction, sign_transaction
from scripts._devnet import start_anvil
from tests.support.web3signer import Web3SignerServer, web3signer

KEYS = [bytes([n]) * 32 for n in (1, 2, 3)]
OURS = signer_of(KEYS[1])
PREIMAGE = b"\x19\x01" + b"\x07" * 64


@pytest.fixture
def server() -> Web3SignerServer:
    return Web3SignerServer(KEYS)


# web3signer


@pytest.mark.parametrize("v", [27, 0])
@pytest.mark.parametrize("high_s", [False, True])
def test_web3signer__the_same_signatures_as_with_the_key_here(
    server: Web3SignerServer, v: int, high_s: bool
) -> None:
    server.v, server.high_s = v, high_s
    with web3signer(server) as url:
        remote: Signer = Web3Signer(url, OURS.address)
        for size in (0, 1, 66, 10_000):
            preimage = PREIMAGE[:1] * size
            assert remote.sign(preimage) == OURS.sign(preimage)
    assert KEYS[1].hex() not in repr(remote) and server.signed[0] == b""


def test_web3signer__another_key_signs_or_no_signature_comes__refused(server: Web3SignerServer) -> None:
    with web3signer(server) as url:
        remote = Web3Signer(url, OURS.address)
        server.signing_key = KEYS[0]
        with pytest.raises(SigningError, match="not of its key"):
            remote.sign(PREIMAGE)
        for answer in ("0x00", "nonsense", "0x" + "00" * 65, "0x" + "ff" * 65, "x" * 2_000_000):
            server.answer = answer
            with pytest.raises(SigningError):
                remote.sign(PREIMAGE)
        server.answer, server.signing_key = None, None
        assert remote.sign(PREIMAGE) == OURS.sign(PREIMAGE)


def test_web3signer__unknown_key__says_what_it_has(server: Web3SignerServer) -> None:
    server.keys = KEYS[:1]
    with web3signer(server) as url, pytest.raises(SigningError, match=signer_of(KEYS[0]).address):
        Web3Signer(url, OURS.address)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_web3signer__error_answers__transient(server: Web3SignerServer, status: int) -> None:
    with web3signer(server) as url:
        remote = Web3Signer(url, OURS.address)
        server.status = status
        with pytest.raises(SigningError, match=str(status)):
            remote.sign(PREIMAGE)
        server.status = 200
        assert remote.sign(PREIMAGE).compact == OURS.sign(PREIMAGE).compact


def test_web3signer__hangs_or_goes_away__bounded_and_back_again(server: Web3SignerServer) -> None:
    with web3signer(server) as url:
        remote = Web3Signer(url, OURS.address, timeout=0.3)
        server.delay = 5
        started = time.monotonic()
        with pytest.raises(SigningError, match="does not answer"):
            remote.sign(PREIMAGE)
        assert time.monotonic() - started < 1
        server.delay = 0
    with pytest.raises(SigningError, match="does not answer"):
        remote.sign(PREIMAGE)
    with web3signer(server):
        assert remote.sign(PREIMAGE) == OURS.sign(PREIMAGE)


def test_web3signer__transactions_are_mined_as_its_address(server: Web3SignerServer) -> None:
    with web3signer(server) as url, start_anvil() as devnet:
        section = Web3SignerSection(url=url, address=OURS.address.lower())
        remote, node = open_signer(KeySection(web3signer=section)), Node(devnet.url)
        devnet.rpc("anvil_setBalance", OURS.address, hex(10**18))
        _, raw = sign_transaction(Transaction(31337, 0, 1, 10**10, 21_000, OURS.address), remote)
        assert Account.recover_transaction(raw) == OURS.address
        node.send(raw)
        devnet.rpc("evm_mine")
        assert node.nonce(OURS.address) == 1


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and certificates of a server and a client by it, and of a stranger."""
    folder = tmp_path_factory.mktemp("tls")
    authority = _certificate(folder, "authority", None)
    _certificate(folder, "server", authority)
    _certificate(folder, "client", authority)
    _certificate(folder, "stranger", None)
    return folder


def _certificate(folder: Path, name: str, issuer: Any) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_key, issuer_name = issuer or (key, subject)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
    file = folder / f"{name}.key"
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return key, subject


@pytest.fixture
def secure(server: Web3SignerServer, certificates: Path) -> Iterator[str]:
    """A web3signer that asks for a client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with web3signer(server, context) as url:
        yield url


def _tls(folder: Path, authority: str = "authority", client: str = "client") -> Tls:
    return Tls(folder / f"{authority}.pem", folder / f"{client}.pem", folder / f"{client}.key")


def test_tls__both_sides_known__signs(secure: str, certificates: Path) -> None:
    assert Web3Signer(secure, OURS.address, tls=_tls(certificates)).sign(PREIMAGE) == OURS.sign(PREIMAGE)


def test_tls__server_or_client_not_known__nothing_is_asked(
    secure: str, certificates: Path, server: Web3SignerServer
) -> None:
    for tls in (
        Tls(),
        Tls(certificates / "authority.pem"),
        _tls(certificates, authority="stranger"),
        _tls(certificates, client="stranger"),
    ):
        with pytest.raises(SigningError, match="does not answer"):
            Web3Signer(secure, OURS.address, tls=tls)
    assert server.signed == []


def test_tls__key_open_to_others_or_missing__says_what_to_do(certificates: Path, tmp_path: Path) -> None:
    key = tmp_path / "client.key"
    key.write_bytes((certificates / "client.key").read_bytes())
    key.chmod(0o644)
    with pytest.raises(KeyFileError, match=f"chmod 600 {key}"):
        Tls(None, certificates / "client.pem", key).context()
    with pytest.raises(SigningError, match="cannot be used"):
        Tls(tmp_path / "absent.pem").context()


# AWS KMS


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(ECDSAPrivateKey, "sign", _sign_digest)
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


def _sign_digest(key: Any, message: bytes, signing_algorithm: str) -> bytes:
    """moto says that it does not implement MessageType DIGEST (it hashes again): AWS signs the 32 bytes."""
    assert (len(message), signing_algorithm) == (32, "ECDSA_SHA_256")
    return bytes(key.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256()))))


def _key(kms: Any, spec: str = "ECC_SECG_P256K1", usage: str = "SIGN_VERIFY") -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])


def test_kms__signatures_recover_to_its_address_with_low_s(kms: Any) -> None:
    key = _key(kms)
    signer: Signer = KmsSigner(key, "eu-central-1")
    half = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
    asked: list[dict[str, Any]] = []
    events = signer._client.meta.events  # type: ignore[attr-defined]
    events.register("provide-client-params.kms.Sign", lambda params, **_: asked.append(params))
    for n in range(24):  # its nonces are random: among so many, both parities and both halves of s occur
        preimage = PREIMAGE + bytes([n])
        made = signer.sign(preimage)
        assert made.s <= half
        assert recover(keccak(preimage), *made.compact) == signer.address
    assert len(asked) == 24 and {params["MessageType"] for params in asked} == {"DIGEST"}
    again = open_signer(KeySection(kms=KmsSection(key_id=key, region="eu-central-1")))
    assert again.address == signer.address and "KmsSigner(0x" in repr(again)


def test_kms__another_key_signs__refused(kms: Any) -> None:
    signer = KmsSigner(_key(kms), "eu-central-1")
    signer._key_id = _key(kms)
    with pytest.raises(SigningError, match="not of its key"):
        signer.sign(PREIMAGE)


def test_kms__wrong_kind_or_missing_key__one_sentence(kms: Any) -> None:
    for key in (_key(kms, "ECC_NIST_P256"), _key(kms, "RSA_2048")):
        with pytest.raises(SigningError, match="ECC_SECG_P256K1 and KeyUsage SIGN_VERIFY"):
            KmsSigner(key, "eu-central-1")
    with pytest.raises(SigningError, match="KMS refuses get_public_key .*NotFound"):
        KmsSigner("00000000-0000-0000-0000-000000000000", "eu-central-1")


def test_kms__nobody_there__bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    started = time.monotonic()
    with pytest.raises(SigningError, match="KMS does not answer"):
        KmsSigner("key", "eu-central-1", "http://127.0.0.1:9", timeout=0.3)
    assert time.monotonic() - started < 10
