"""Mistakes that checkers have to find: each ignore is reported when there is nothing to ignore."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from twat_cache import acache, lru_cache, mcache


@mcache
def half(number: int) -> float:
    return number / 2


@acache
async def later(number: int) -> float:
    return number / 2


@lru_cache
def text(number: int) -> str:
    return str(number)


class Shop:
    @mcache
    def price(self, item: str) -> int:
        return len(item)


def weight_of(result: str) -> str:
    return result


def heard(key: int) -> None:
    """Takes neither value nor cause."""


def wrong_arguments(shop: Shop) -> None:
    half("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    half(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    half(nothing=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    text("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    shop.price(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    shop.price(shop, "x")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


def wrong_controls(shop: Shop) -> None:
    half.invalidate("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half.refresh()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    half.contains(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    half.cache_key("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half.peek("x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    half.put("x", 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    half.resize("big")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half.resize(None, max_weight=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half.warm(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    half.save(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    text.invalidate(1)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    shop.price.invalidate(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def wrong_awaits() -> None:
    await half(1)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await later("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    later(1)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]


def wrong_options() -> None:
    mcache(maxsize="big")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(ttl=[])  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(policy="newest")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(unhashable="skip")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(tti=[])  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(jitter="10%")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(max_weight="5kg")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(weigher=weight_of)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mcache(max_bytes=1.5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(on_removal=heard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mcache(retry={"attempts": "x"})  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(retry={"tries": 3})  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    mcache(nonsense=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    mcache(128, None, "lru", True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    mcache()(5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    acache(len)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    acache()(len)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
