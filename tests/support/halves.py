"""The Clearinghouse on boa: two sources at one address."""

import warnings
from typing import Any

import boa


class Halves:
    """One contract whose functions are spread over two sources: the second runs by delegate call.

    boa knows a contract by one source; the second is laid over the same address. Logs and gas are those of
    the last call.
    """

    def __init__(self, first: Any, extension: Any) -> None:
        with warnings.catch_warnings(action="ignore"):  # the code at the address is the first half's
            self._halves = (first, extension.at(first.address))
        for half in self._halves:  # either may log at the one address
            half.event_for.update(first.event_for | self._halves[1].event_for)
        self._last = first
        boa.env.register_contract(first.address, first)  # what traces and coverage show

    def __getattr__(self, name: str) -> Any:
        half = next((half for half in self._halves if hasattr(half, name)), None)
        if half is None:
            raise AttributeError(name)
        member = getattr(half, name)
        if not callable(member) or name.startswith("_"):
            return getattr(self._last, name) if name == "_computation" else member

        def call(*arguments: Any, **options: Any) -> Any:
            self._last = half
            return member(*arguments, **options)

        return call

    def get_logs(self) -> list[Any]:
        """Events of the last call, of this contract as far as its half knows them."""
        return list(self._last.get_logs())
