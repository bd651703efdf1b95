# The index: from a hash to the number of an entry.
#
# It is an open-addressed array of 32-bit slots with linear probing. A slot holds an
# entry's number in the bits of `mask` and bits of its hash above them, so one comparison rules
# out nearly every other entry without touching it; 0 is a free slot. Removing shifts back what
# follows (Knuth, TAOCP 3, 6.4 R), so there are no tombstones and no rehash to clean them up.
#
# Growing never rehashes at once: `old` keeps the smaller index while every write moves a few of
# its slots over (an incremental rehash as in Redis' dict.c design notes; own code). An entry is
# in exactly one of the two. Slots taken out of `old` become GONE, which only `old` ever holds.
# Behind the last free slot that was come to nobody searches for anything that is still there, so
# pieces of a large `old` are given back at once: all together would take milliseconds.

from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t

from gate cimport tc_leading_zeros, tc_unlikely, tc_zeros_done, tc_zeros_free, tc_zeros_new
from store cimport *

cdef extern from *:
    """
    #define TC_GOLDEN UINT64_C(0x9E3779B97F4A7C15)
    #define TC_PLACE ((uint64_t)15 << 8)
    """
    const uint64_t GOLDEN "TC_GOLDEN"       # the golden ratio (Knuth, TAOCP 3, 6.4)
    const uint64_t PLACE "TC_PLACE"         # the bits of a hash that tell the place in a line

# Python's hashes are regular (an int is its own), so they are multiplied, and the slot is chosen by
# the highest bits of the product, which all bits have stirred. With the golden ratio as factor,
# keys at regular distances (1, 2, 3 …; aligned ids; multiples of 2^20) fall nearly evenly: the
# three-distance theorem (Sós, 1958; Knuth, TAOCP 3, 6.4).
#
# Where a key is one object, its hash's lowest three bits are left out of the product and choose the
# place in the cache line of 16 slots instead: every second one, counted from where the product
# points to. So ints in a row share lines, eight in each, and a large table that is asked for one
# after the other waits for memory once in eight times. Of a mixed hash, bits 8 to 11 keep them; a
# key of several objects has zeros there.

cdef inline uint32_t neighbour(uint64_t hash) noexcept nogil:
    """What an object's own hash adds to the slot, as one of those that share a line."""
    return (hash & 7) << 1


cdef inline uint64_t placed(uint64_t product, uint32_t near) noexcept nogil:
    """The mixed hash."""
    return (product & ~PLACE) | near << NEAR


cdef inline uint32_t near_of(uint64_t hash) noexcept nogil:
    return hash >> NEAR & 15


cdef inline uint32_t home_of(uint64_t hash, uint32_t mask) noexcept nogil:
    """The slot to begin at: the highest bits of the hash, and the place in a line."""
    return <uint32_t> (hash >> 32 >> tc_leading_zeros(mask)) ^ near_of(hash) if mask else 0


cdef inline uint32_t tag_of(uint64_t hash, uint32_t mask) noexcept nogil:
    """What a slot keeps of the hash: bits from its middle, above the entry's number."""
    return <uint32_t> (hash >> 12) & ~mask


cdef inline void index_add(Store* s, uint32_t i, uint64_t hash) noexcept nogil:
    cdef uint32_t mask = s.mask
    cdef uint32_t position = home_of(hash, mask)
    while s.slots[position] != 0:
        position = (position + 1) & mask
    s.slots[position] = tag_of(hash, mask) | i


cdef inline uint32_t* index_slot(Store* s, uint32_t i) noexcept nogil:
    """The slot that holds entry i, in either index."""
    cdef uint64_t hash = at(s, i).hash
    cdef uint32_t mask = s.mask
    cdef uint32_t position = home_of(hash, mask)
    while s.slots[position] != 0:
        if (s.slots[position] & mask) == i:
            return &s.slots[position]
        position = (position + 1) & mask
    mask = s.old_mask
    position = home_of(hash, mask)
    while (s.old[position] & mask) != i or s.old[position] == GONE:
        position = (position + 1) & mask
    return &s.old[position]


cdef inline void index_remove(Store* s, uint32_t i) noexcept nogil:
    cdef uint32_t* slot = index_slot(s, i)
    cdef uint32_t mask = s.mask
    cdef uint32_t hole, position, home
    if s.old != NULL and s.old <= slot and slot <= s.old + s.old_mask:
        slot[0] = GONE
        return
    hole = position = <uint32_t> (slot - s.slots)
    while True:
        position = (position + 1) & mask
        if s.slots[position] == 0:
            break
        home = home_of(at(s, s.slots[position] & mask).hash, mask)
        if ((position - home) & mask) >= ((position - hole) & mask):
            s.slots[hole] = s.slots[position]
            hole = position
    s.slots[hole] = 0


cdef inline void move_slots(Store* s, uint32_t many) noexcept nogil:
    """Takes slots of the old index over into the new one."""
    cdef uint32_t slot, i
    while many and s.old_next <= s.old_mask:
        slot = s.old[s.old_next]
        if slot != 0 and slot != GONE:
            i = slot & s.old_mask
            index_add(s, i, at(s, i).hash)
            s.old[s.old_next] = GONE
        elif slot == 0:
            s.old_gap = s.old_next
        s.old_next += 1
        many -= 1
    if s.old_gap >= s.old_done + PIECE:
        tc_zeros_done(<char*> (s.old + s.old_done), PIECE * sizeof(uint32_t))
        s.old_done += PIECE
    if s.old_next > s.old_mask:
        tc_zeros_free(s.old, (<size_t> s.old_mask + 1) * sizeof(uint32_t))
        s.old = NULL


cdef inline bint start_index(Store* s, uint64_t slots) noexcept:
    """Begins to move to an index of another size; False if there is no memory."""
    cdef uint32_t* memory
    if slots > <uint64_t> 1 << 31:
        return False
    memory = <uint32_t*> tc_zeros_new(slots * sizeof(uint32_t))
    if memory == NULL:
        return False
    if s.slots != tc_no_slots:
        s.old = s.slots
        s.old_mask = s.mask
        s.old_next = s.old_gap = s.old_done = 0
    s.slots = memory
    s.mask = <uint32_t> (slots - 1)
    s.shift = 32 + tc_leading_zeros(s.mask)
    if s.old != NULL and s.old_mask < 1024:
        move_slots(s, s.old_mask + 1)
    return True


cdef inline bint tend_index(Store* s) noexcept:
    """What every insertion does for the index: grow it when it is full, move a few slots."""
    cdef uint64_t slots = <uint64_t> s.mask + 1
    if s.old != NULL:
        move_slots(s, BATCH)
    if tc_unlikely(<uint64_t> (s.used + 1) * 8 > slots * (3 if slots < SMALL else 6)):
        if s.old != NULL:
            move_slots(s, UINT32_MAX)
        return start_index(s, LINE if s.slots == tc_no_slots else slots * 2)
    return True


cdef inline void shrink_index(Store* s) noexcept:
    """What every removal does for it: halve it below an eighth. Out of memory, it stays."""
    if s.old != NULL:
        move_slots(s, BATCH)
    elif s.mask >= 64 and <uint64_t> s.used * 16 < s.mask:
        start_index(s, (<uint64_t> s.mask + 1) // 2)
