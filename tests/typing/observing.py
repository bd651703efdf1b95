"""What checkers see of events, logs and configurations. Never run: mypy and pyright judge."""

from collections.abc import Callable

from typing_extensions import assert_type

from twat_cache import CacheConfig, create_cache_config, debug, events
from twat_cache.config_types import ConfigDict


def hook(event: events.Event) -> None:
    assert_type(event.key, str)
    if isinstance(event, events.Stored):
        assert_type(event.bytes, int)
        assert_type(event.seconds, float)


assert_type(events.subscribe(hook), Callable[[], None])
assert_type(events.request_id.get(), str)
assert_type(debug("WARNING"), Callable[[], None])

settings: ConfigDict = {"engine": ["memory", "null:"], "ttl": "10m", "single_flight": "process"}
assert_type(CacheConfig.from_dict(settings), CacheConfig)
assert_type(CacheConfig.from_env("SHOP_"), CacheConfig)
assert_type(CacheConfig.from_file("cache.toml", "shop"), CacheConfig)
assert_type(CacheConfig.builder().engine("memory").ttl(60).build(), CacheConfig)
assert_type(create_cache_config("memory", file="cache.toml", maxsize=None), CacheConfig)

CacheConfig("memory", ttl=60, secret=[b"new", "old"], cache_exceptions={LookupError: "5s"})
CacheConfig(ttl=[1])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
CacheConfig(tll=60)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
events.subscribe(print)
events.subscribe(lambda: None)  # type: ignore[arg-type,misc] # pyright: ignore[reportArgumentType]
