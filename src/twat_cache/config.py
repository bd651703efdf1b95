"""Configurations: the options of a cache as one value, from code, a file or the environment.

    from twat_cache import CacheConfig, ucache

    shared = CacheConfig("sqlite:///cache.db", namespace="shop", stale="1h", jitter=0.1)

    @ucache(shared, ttl="10m")
    def price(article): ...

What a call gives goes before what its configuration holds, and that before the environment.
"""

from __future__ import annotations

import os

from ._environment import PREFIX, options_of
from ._settings import ENGINE, OPTIONS, frozen, read_setting, shown_setting, thawed
from .config_types import ConfigDict, ConfigOptions, EngineLike
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from typing_extensions import Unpack

__all__ = [
    "CacheConfig",
    "CacheConfigBuilder",
    "ConfigDict",
    "ConfigOptions",
    "create_cache_config",
    "settled",
]


class CacheConfig:
    """An engine and options, immutable, each option judged when the configuration is made.

    Options that weren't given aren't there: the decorator's own defaults hold. Whether options go
    together is judged when a cache is made, since that may add some: `stale` needs a `ttl`, say.
    An option is an attribute, in the shape in which caches have it: `ttl="10m"` is 600.0 there.
    Two configurations are equal if they were given equal values. The repr shows neither secrets
    nor what a URL holds before `@` and after `?`. Safe in any thread.

    Args:
        engine: Where results are kept: a URL, an engine, or a list of these from near to far.
            None leaves it to the environment.
        options: Any options of the decorators.

    Raises:
        ConfigurationError: An option doesn't exist, or has a value that isn't accepted.
    """

    __slots__ = ("_given", "_read", "engine")

    engine: EngineLike

    def __init__(self, engine: EngineLike = None, **options: Unpack[ConfigOptions]) -> None:
        given: dict[str, Any] = {name: frozen(value) for name, value in options.items()}
        read = {name: read_setting(name, value) for name, value in given.items()}
        put = object.__setattr__  # the class's own refuses
        put(self, "engine", read_setting(ENGINE, engine))
        put(self, "_given", given)
        put(self, "_read", read)

    @classmethod
    def from_dict(cls, settings: ConfigDict | Mapping[str, Any]) -> CacheConfig:
        """The configuration that a dict describes, as `to_dict` does.

        Raises:
            ConfigurationError: It is no dict, or as for the class.
        """
        try:
            given: Any = dict(settings)
        except (TypeError, ValueError):
            given = None
        if given is None or not all(isinstance(name, str) for name in given):
            raise ConfigurationError(
                f"a {type(settings).__qualname__} is no configuration; accepted: a dict from the "
                "names of options to their values"
            )
        return cls(**given)

    @classmethod
    def from_env(
        cls, prefix: str = PREFIX, environ: Mapping[str, str] | None = None
    ) -> CacheConfig:
        """The configuration in the environment: `TWAT_CACHE_URL`, `TWAT_CACHE_TTL` and so on.

        A variable that is empty counts as not set.

        Args:
            prefix: What the names of the variables begin with.
            environ: The variables, instead of those of the process.

        Raises:
            ConfigurationError: A variable can't be understood, or seems to name an option and
                doesn't; names the variable.
        """
        given = {}
        source = os.environ if environ is None else environ
        for name, (variable, value) in options_of(source, prefix, OPTIONS).items():
            try:
                read_setting(name, value)
            except ConfigurationError as error:
                raise ConfigurationError(f"{variable}: {error}") from error
            given[name] = value
        return cls.from_dict(given)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], table: str = "") -> CacheConfig:
        """The configuration in a TOML file.

        Args:
            path: The file.
            table: The table that holds the options, such as `"tool.twat-cache"`; by default they
                stand at the top.

        Raises:
            ConfigurationError: The file is no TOML or has no such table, or as for the class;
                names the file. Or Python is older than 3.11 and tomli isn't installed.
            OSError: The file can't be read.
        """
        from ._toml import read_toml

        settings: Any = read_toml(path)
        for part in table.split(".") if table else ():
            settings = settings.get(part) if isinstance(settings, dict) else None
        if not isinstance(settings, dict):
            raise ConfigurationError(f"{os.fspath(path)} has no table [{table}]")
        try:
            return cls.from_dict(settings)
        except ConfigurationError as error:
            raise ConfigurationError(f"{os.fspath(path)}: {error}") from error

    @staticmethod
    def builder() -> CacheConfigBuilder:
        """Makes a configuration step by step."""
        return CacheConfigBuilder()

    def to_options(self) -> dict[str, Any]:
        """The options as they were given, without the engine; secrets are among them."""
        return {name: thawed(value) for name, value in self._given.items()}

    def to_dict(self) -> dict[str, Any]:
        """The engine, if there is one, and the options as they were given; also secrets."""
        engine = {} if self.engine is None else {ENGINE: thawed(self.engine)}
        return {**engine, **self.to_options()}

    def __getattr__(self, name: str) -> Any:
        """The value of an option."""
        if name.startswith("_") or name not in self._read:
            raise AttributeError(f"this configuration has no {name!r}: it wasn't given")
        return self._read[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a configuration can't be changed; make another one, with {name}=")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a configuration can't be changed; make another one")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CacheConfig):
            return NotImplemented
        return bool(self.engine == other.engine and self._given == other._given)

    def __hash__(self) -> int:
        return hash(frozenset(self._given))  # the values need not be hashable

    def __reduce__(self) -> tuple[Any, ...]:
        return CacheConfig.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        settings = {} if self.engine is None else {ENGINE: self.engine}
        settings.update(self._given)
        parts = [f"{name}={shown_setting(name, value)}" for name, value in settings.items()]
        return f"CacheConfig({', '.join(parts)})"


class CacheConfigBuilder:
    """Collects an engine and options, each by a method of its name, and builds a configuration.

        CacheConfig.builder().engine("sqlite:///cache.db").ttl("10m").build()

    A value that isn't accepted is refused at once. Not for use by several threads.
    """

    def __init__(self) -> None:
        self._given: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Callable[[Any], CacheConfigBuilder]:
        if name != ENGINE and name not in OPTIONS:
            raise AttributeError(f"there is no option {name!r}; there are: {', '.join(OPTIONS)}")

        def put(value: Any) -> CacheConfigBuilder:
            read_setting(name, value)
            self._given[name] = value
            return self

        return put

    def build(self) -> CacheConfig:
        """The configuration as it has been told so far; the builder may go on."""
        return CacheConfig(**self._given)


def create_cache_config(
    engine: EngineLike = None,
    *,
    file: str | os.PathLike[str] | None = None,
    table: str = "",
    **options: Unpack[ConfigOptions],
) -> CacheConfig:
    """A configuration of all there is: what is given here, before a file, before the environment.

    Args:
        engine: Where results are kept; None leaves it to the file, then to `TWAT_CACHE_URL`.
        file: A TOML file.
        table: The table of the file that holds the options; by default they stand at the top.
        options: Any options of the decorators.

    Raises:
        ConfigurationError: As for `CacheConfig`, `from_file` and `from_env`.
        OSError: The file can't be read.
    """
    merged = CacheConfig.from_env().to_dict()
    if file is not None:
        merged.update(CacheConfig.from_file(file, table).to_dict())
    if engine is not None:
        merged[ENGINE] = engine
    return CacheConfig(**{**merged, **options})


def settled(engine: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The engine and the options of a call, after its configuration and the environment.

    The environment is asked only if neither the call nor its configuration names an engine; if it
    doesn't either, it is `"memory"`.

    Args:
        engine: What the call names: an engine in any form, a `CacheConfig` or None.
        options: What else it gives.

    Raises:
        ConfigurationError: As for `CacheConfig.from_env`.
    """
    merged = dict(options)
    if isinstance(engine, CacheConfig):
        engine, merged = thawed(engine.engine), {**engine.to_options(), **merged}
    if engine is None:
        config = CacheConfig.from_env()
        engine, merged = thawed(config.engine), {**config.to_options(), **merged}
    return "memory" if engine is None else engine, merged
