"""Parts cover everything once, and what goes wrong on a thread is told."""

import pytest

from keeper.pricing.threads import in_parts


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("blocks", [0, 1, 63, 64, 1_000])
def test_in_parts__any_size__covered_once(blocks: int, threads: int) -> None:
    seen: list[int] = []
    in_parts(lambda first, last: seen.extend(range(first, last)), blocks, threads)
    assert sorted(seen) == list(range(blocks))


def test_in_parts__a_part_fails__raised() -> None:
    def work(first: int, last: int) -> None:
        raise ArithmeticError(first)

    with pytest.raises(ArithmeticError):
        in_parts(work, 1_000, 2)
