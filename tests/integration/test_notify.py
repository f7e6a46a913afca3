"""Messages reach a webhook and a mail server, failures are said, and no credential is shown."""

import logging
from collections.abc import Iterator

import pytest

from keeper.network.notify import Notifier, NotifyError, problem_of
from keeper.observability.logs import configure
from tests.support.listeners import Hook, Mailbox, open_for
from tests.support.logging_state import logging_restored

FACTS = {"account": 3, "health": 1.1}


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox()
    with open_for(found):
        yield found


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    with open_for(found):
        yield found


def test_send__webhook__json_with_facts_and_its_login(hook: Hook) -> None:
    Notifier().send(hook.url, "Margin call", "Account 3", FACTS)

    assert hook.bodies == [{"title": "Margin call", "text": "Account 3", "account": 3, "health": 1.1}]
    assert hook.logins[0] is not None and hook.logins[0].startswith("Basic ")


def test_send__mail__arrives_with_title_and_text(mailbox: Mailbox) -> None:
    Notifier().send(mailbox.url, "Margin call", "Account 3 has fallen", FACTS)

    (message,) = mailbox.messages
    assert message["subject"] == "Margin call" and "desk@example.org" in message["to"]
    body = message.get_body(("plain", "html"))
    assert body is not None and "Account 3 has fallen" in body.get_content()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_send__webhook_refuses__said_without_the_credentials(hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(NotifyError, match=f"127.0.0.1 answers {status}") as caught:
        Notifier().send(hook.url, "t", "x", FACTS)
    assert "hunter2secret" not in str(caught.value) and "Zk3JqX" not in str(caught.value)


def test_send__nobody_listens__said(hook: Hook, mailbox: Mailbox) -> None:
    hook.port = mailbox.port = 1
    with pytest.raises(NotifyError, match="does not answer: ConnectError"):
        Notifier().send(hook.url, "t", "x", FACTS)
    with pytest.raises(NotifyError, match="has not taken the message"):
        Notifier().send(mailbox.url, "t", "x", FACTS)


def test_send__mail_refused__said_and_nothing_secret_is_logged(
    mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.refuse = True
    with logging_restored():
        configure("json", "debug")
        logging.getLogger("apprise").setLevel(logging.DEBUG)
        problem_of(mailbox.url)
        with pytest.raises(NotifyError):
            Notifier().send(mailbox.url, "t", "x", FACTS)
        said = capsys.readouterr().err
    assert "apprise" in said and "hunter2secret" not in said


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://hooks.example/x", ""),
        ("mailtos://a:bcdefgh@mail.example", ""),
        ("https://", "names no host"),
        ("carrier-pigeon://coop", "is no URL that apprise knows"),
    ],
)
def test_problem_of__url__what_is_wrong_with_it(url: str, problem: str) -> None:
    assert problem_of(url) == problem
