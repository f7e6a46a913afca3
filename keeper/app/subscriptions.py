"""Who hears of what, and how: a TOML file of its own, because its URLs hold passwords.

```toml
alarms = ["mailtos://me:password@mail.example?to=desk@example.org"]   # of the canary

[[accounts]]
account = 3
name = "desk"                                       # of the reader, for logs and the record of what was sent
urls = ["https://hooks.example/margin"]
levels = [1.5, 1.2, 1.05]                           # health, equity over maintenance margin, at which to tell
```
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from keeper.app.config import ConfigError
from keeper.app.section import Section
from keeper.jobs.decide_notices import Subscriber
from keeper.network.notify import problem_of

_Levels = Annotated[list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=1, max_length=8)]


class AccountSubscription(Section):
    """One reader of one account."""

    account: int = Field(gt=0)
    name: Annotated[str, Field(min_length=1, max_length=64)]
    urls: Annotated[list[str], Field(min_length=1)]
    levels: _Levels = [1.5, 1.2, 1.05]


class Subscriptions(Section):
    """All of a keeper's or a canary's readers.

    alarms: URLs that hear of the canary's alarms and changes.
    hysteresis: how far above a level, as a share of it, health must be before the level is armed again.
    cooldown_seconds: that must pass before the same level is told again; chain time.
    """

    alarms: list[str] = Field(default_factory=list)
    accounts: list[AccountSubscription] = Field(default_factory=list)
    hysteresis: float = Field(default=0.05, ge=0, le=1)
    cooldown_seconds: int = Field(default=3_600, ge=0)

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Readers of accounts."""
        return tuple(
            Subscriber(s.account, s.name, tuple(s.urls), tuple(sorted(set(s.levels)))) for s in self.accounts
        )

    @classmethod
    def load(cls, path: Path | None) -> "Subscriptions":
        """Read and check the file; nobody is subscribed without one. Raises ConfigError."""
        if path is None:
            return cls()
        try:
            found = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(f"subscriptions {path} cannot be read: {error.strerror}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"subscriptions {path} is not TOML: {error}") from None
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()]
            raise ConfigError(f"subscriptions {path}: " + "; ".join(problems)) from None
        problems = found._problems()
        if problems:
            raise ConfigError(f"subscriptions {path}: " + "; ".join(problems))
        return found

    def _problems(self) -> list[str]:
        """What is wrong, without showing a URL: it may hold a password."""
        places = [(f"alarms.{i}", url) for i, url in enumerate(self.alarms)]
        for i, subscription in enumerate(self.accounts):
            places += [(f"accounts.{i}.urls.{j}", url) for j, url in enumerate(subscription.urls)]
        problems = [f"{place} {why}" for place, url in places if (why := problem_of(url))]
        keys = [(s.account, s.name) for s in self.accounts]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        return problems + [f"accounts: {name} has account {account} twice" for account, name in twice]
