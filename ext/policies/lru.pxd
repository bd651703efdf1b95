# LRU: the entry that was not used for the longest time leaves. Exact.
#
# The order of use is the ring itself. A hit moves its entry to the front: five stores, the price of
# being exact. Without the GIL hits are noted first, up to 256 a thread, so the order is exact as long
# as one thread hits; of several, each one's own order is kept.

from libc.string cimport memset

from store cimport MOVE, Policy


cdef inline void fill_lru(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"lru"
    p.on_hit = MOVE
