# SIEVE: a queue, one bit for each entry, and a hand that forgives once.
#
# The queue is the ring: `next` of entry 0 is its head, `prev` its tail; towards the head is `prev`.
# The bit is the mark's lowest. `state` is the hand: the number of the entry that it stands at, 0 for
# the tail. A hit writes one byte, and only if the entry wasn't visited yet.

from libc.stdint cimport uint32_t
from libc.string cimport memset

from order cimport ring_moved, unlink
from store cimport COUNT, Policy, Store, at, mark_of


cdef inline uint32_t hand_of(Store* s) noexcept nogil:
    return <uint32_t> <size_t> s.state


cdef inline void put_hand(Store* s, uint32_t i) noexcept nogil:
    s.state = <void*> <size_t> i


cdef inline void sieve_cleared(Store* s) noexcept nogil:
    put_hand(s, 0)


cdef inline uint32_t sieve_victim(Store* s) noexcept nogil:
    cdef uint32_t i = hand_of(s)
    if i == 0:
        i = at(s, 0).prev
    while mark_of(at(s, i))[0] & 1:
        mark_of(at(s, i))[0] &= 0xFE
        i = at(s, i).prev
        if i == 0:
            i = at(s, 0).prev
    put_hand(s, i)
    return i


cdef inline void sieve_left(Store* s, uint32_t i) noexcept nogil:
    if hand_of(s) == i:
        put_hand(s, at(s, i).prev)
    unlink(s, at(s, i))


cdef inline void sieve_moved(Store* s, uint32_t last, uint32_t i) noexcept nogil:
    ring_moved(s, i)
    if hand_of(s) == last:
        put_hand(s, i)


cdef inline void fill_sieve(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"sieve"
    p.on_hit = COUNT
    p.counts = 1
    p.cleared = &sieve_cleared
    p.victim = &sieve_victim
    p.left = &sieve_left
    p.moved = &sieve_moved
