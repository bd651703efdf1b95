"""What checkers see of decorated methods. Never run.

Left out is what mypy, unlike pyright, can't follow: a cached staticmethod through an instance (it
is taken for a method), a result of type `Self`, and any decorator above `@property`.
"""

from dataclasses import dataclass
from functools import cached_property

from typing_extensions import assert_type

from twat_cache import CacheInfo, Warmed, lru_cache, mcache


@dataclass(frozen=True)
class Shop:
    name: str

    @mcache
    def price(self, item: str, count: int = 1) -> int:
        return len(item) * count

    @mcache(maxsize=10, per_instance=True)
    def price_called(self, item: str, *, count: int = 1) -> int:
        return len(item) * count

    @lru_cache
    def price_lru(self, item: str) -> int:
        return len(item)

    @classmethod
    @mcache
    def opened(cls, name: str) -> "Shop":
        return cls(name)

    @mcache
    @classmethod
    def opened_too(cls, name: str) -> int:
        return len(name)

    @staticmethod
    @mcache
    def tax(amount: int) -> float:
        return amount * 0.2

    @mcache()
    @staticmethod
    def tax_too(amount: int) -> float:
        return amount * 0.2

    @property
    @mcache
    def sign(self) -> str:
        return self.name

    @mcache
    def itself(self) -> "Shop":
        return self


class Stall(Shop):
    def cheapest(self) -> int:
        return min(self.price("tea"), super().price("tea", 2))


def check_instance(shop: Shop, stall: Stall) -> None:
    assert_type(shop.price("tea"), int)
    assert_type(shop.price("tea", count=2), int)
    assert_type(shop.price_called("tea", count=2), int)
    assert_type(shop.price_lru("tea"), int)
    assert_type(stall.price("tea"), int)
    assert_type(shop.sign, str)
    assert_type(shop.itself().itself(), Shop)
    assert_type(shop.price.invalidate("tea"), bool)
    assert_type(shop.price.refresh("tea", 2), int)
    assert_type(shop.price.peek("tea"), int | None)
    assert_type(shop.price.peek("tea", default_=""), int | str)
    shop.price.put(3, "tea")
    shop.price.put(3, "tea", ttl_=1)
    assert_type(shop.price.warm(["tea", ("milk", 2)]), Warmed)
    assert_type(shop.price.cache_info(), CacheInfo)
    assert_type(shop.price_lru.cache_info(), CacheInfo)
    assert_type(shop.opened_too("x"), int)


def check_class(shop: Shop) -> None:
    assert_type(Shop.price(shop, "tea"), int)
    assert_type(Shop.price.cache_info(), CacheInfo)
    assert_type(Shop.price.invalidate(shop, "tea"), bool)
    assert_type(Shop.price_lru(shop, "tea"), int)
    assert_type(Shop.opened("x"), Shop)
    assert_type(Shop.opened_too("x"), int)
    assert_type(Shop.opened_too.invalidate("x"), bool)
    assert_type(Shop.tax(1), float)
    assert_type(Shop.tax_too(1), float)
    assert_type(Shop.tax.cache_info(), CacheInfo)


def check_by_hand() -> None:
    def size(text: str) -> int:
        return len(text)

    static = mcache(staticmethod(size))
    assert_type(static("x"), int)
    prop = mcache(property(size))
    assert_type(prop, property)
    assert_type(mcache(cached_property(size)), cached_property[int])
