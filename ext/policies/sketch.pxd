# How often keys were seen that are gone, in half a byte each: a count-min sketch that forgets. What
# it is and why stands in `_core_py/policies/sketch.py`; here is how it lies in memory.
#
# A block is one cache line: four rows of 32 counters of 4 bits, two words a row. Blocks are in
# *strips* that are never moved or copied: strip j has the 2^j blocks from number 2^j - 1 on. A
# strip's memory is asked for when its first block is made, and the system gives it page by page as
# blocks are written. Out of memory, the sketch stays as small as it is.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from gate cimport tc_leading_zeros, tc_lines_free, tc_lines_new

cdef enum:
    BLOCK_WORDS = 8
    BLOCK_ENTRIES = 8            # entries of the cache for each block
    BLOCKS_MORE = 256            # blocks more, for small caches
    BLOCKS_AT_ONCE = 8           # blocks halved at a time

cdef extern from *:
    """
    #define TC_SPREAD UINT64_C(0xD6E8FEB86659FD93)
    #define TC_HALF UINT64_C(0x7777777777777777)
    """
    const uint64_t SPREAD "TC_SPREAD"       # odd, with bits all over it
    const uint64_t HALF "TC_HALF"           # what is left of each counter, shifted

cdef struct Sketch:
    uint64_t* strips[32]
    uint32_t blocks
    uint32_t mask
    bint halving
    uint32_t halved              # blocks before it were halved already


cdef inline uint64_t spread(uint64_t mixed) noexcept nogil:
    """A key's hash, with each bit depending on all of them."""
    mixed = (mixed ^ mixed >> 32) * SPREAD
    return mixed ^ mixed >> 32


cdef inline uint64_t* block_at(Sketch* k, uint32_t block) noexcept nogil:
    cdef uint32_t strip = 31 - tc_leading_zeros(block + 1)
    return k.strips[strip] + <size_t> (block + 1 ^ <uint32_t> 1 << strip) * BLOCK_WORDS


cdef inline uint32_t block_of(Sketch* k, uint64_t x) noexcept nogil:
    cdef uint32_t block = <uint32_t> x & k.mask
    return block & k.mask >> (block >= k.blocks)    # no branch: it would be a coin's toss


cdef inline bint start_sketch(Sketch* k) noexcept nogil:
    """Makes it, with one block; False if there is no memory."""
    memset(k, 0, sizeof(Sketch))
    k.blocks = 1
    k.strips[0] = <uint64_t*> tc_lines_new(BLOCK_WORDS * sizeof(uint64_t))
    if k.strips[0] == NULL:
        return False
    memset(k.strips[0], 0, BLOCK_WORDS * sizeof(uint64_t))
    return True


cdef inline void drop_block(Sketch* k) noexcept nogil:
    k.blocks -= 1
    if k.blocks <= k.mask >> 1:
        k.mask >>= 1
    if k.blocks & k.blocks + 1 == 0:
        tc_lines_free(block_at(k, k.blocks))


cdef inline void forget_counts(Sketch* k) noexcept nogil:
    """Makes it as it was at first."""
    while k.blocks > 1:
        drop_block(k)
    memset(k.strips[0], 0, BLOCK_WORDS * sizeof(uint64_t))
    k.mask = 0
    k.halving = False


cdef inline void stop_sketch(Sketch* k) noexcept nogil:
    forget_counts(k)
    tc_lines_free(k.strips[0])


cdef inline void add_block(Sketch* k) noexcept nogil:
    cdef uint32_t block = k.blocks
    cdef uint64_t* strip
    if block & block + 1 == 0:
        strip = <uint64_t*> tc_lines_new((<size_t> block + 1) * BLOCK_WORDS * sizeof(uint64_t))
        if strip == NULL:
            return
        k.strips[31 - tc_leading_zeros(block + 1)] = strip
    if block > k.mask:
        k.mask = k.mask * 2 + 1
    memcpy(
        block_at(k, block), block_at(k, block & k.mask >> 1), BLOCK_WORDS * sizeof(uint64_t)
    )
    k.blocks += 1


cdef inline void fit_sketch(Sketch* k, uint32_t size) noexcept nogil:
    """Makes one block, or drops one, as `size` asks for."""
    cdef uint32_t wanted = size // BLOCK_ENTRIES
    wanted += min(wanted, <uint32_t> BLOCKS_MORE) + 1
    if k.halving:
        return
    if k.blocks < wanted:
        add_block(k)
    elif k.blocks > 2 * wanted:
        drop_block(k)


cdef inline void halve_some(Sketch* k) noexcept nogil:
    cdef uint32_t end = min(k.halved + BLOCKS_AT_ONCE, k.blocks)
    cdef uint64_t* words
    cdef int j
    while k.halved < end:
        words = block_at(k, k.halved)
        for j in range(BLOCK_WORDS):
            words[j] = words[j] >> 1 & HALF
        k.halved += 1
    k.halving = k.halved < k.blocks


cdef inline void halve_sketch(Sketch* k) noexcept nogil:
    """Begins to halve all counters, unless it is at it."""
    if not k.halving:
        k.halving = True
        k.halved = 0
        halve_some(k)


cdef inline uint32_t counter(uint64_t* words, uint64_t place) noexcept nogil:
    return words[place >> 4] >> ((place & 15) * 4) & 15


cdef inline uint32_t frequency(Sketch* k, uint64_t x) noexcept nogil:
    """How often a key was seen, 0 to 15; `x` is its hash, spread."""
    cdef uint32_t block = block_of(k, x)
    cdef uint64_t* words = block_at(k, block)
    cdef uint32_t lowest = min(
        min(counter(words, x >> 44 & 31), counter(words + 2, x >> 49 & 31)),
        min(counter(words + 4, x >> 54 & 31), counter(words + 6, x >> 59)),
    )
    return lowest >> 1 if k.halving and block >= k.halved else lowest


cdef inline void raise_counter(uint64_t* words, uint64_t place, uint64_t least) noexcept nogil:
    cdef uint32_t shift = (place & 15) * 4
    cdef uint64_t is_now = words[place >> 4] >> shift & 15
    words[place >> 4] += max(is_now, least) - is_now << shift    # no branch: a coin's toss


cdef inline void raise_to(Sketch* k, uint64_t x, uint32_t least) noexcept nogil:
    """Sees to it that a key counts at least so much, 0 to 15; to be halved yet, 7 at most."""
    cdef uint32_t block = block_of(k, x)
    cdef uint64_t* words = block_at(k, block)
    if k.halving and block >= k.halved:
        least = min(least * 2, <uint32_t> 15)
    raise_counter(words, x >> 44 & 31, least)
    raise_counter(words + 2, x >> 49 & 31, least)
    raise_counter(words + 4, x >> 54 & 31, least)
    raise_counter(words + 6, x >> 59, least)
