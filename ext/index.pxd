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

from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from gate cimport tc_leading_zeros, tc_unlikely
from store cimport *


cdef inline uint32_t home_of(uint64_t hash, uint32_t mask) noexcept nogil:
    """The slot to begin at: the highest bits of the hash."""
    return <uint32_t> (hash >> 32 >> tc_leading_zeros(mask)) if mask else 0


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
        s.old_next += 1
        many -= 1
    if s.old_next > s.old_mask:
        free(s.old)
        s.old = NULL


cdef inline bint start_index(Store* s, uint64_t slots) noexcept:
    """Begins to move to an index of another size; False if there is no memory."""
    cdef uint32_t* memory
    if slots > <uint64_t> 1 << 31:
        return False
    memory = <uint32_t*> calloc(slots, sizeof(uint32_t))
    if memory == NULL:
        return False
    if s.slots != tc_no_slots:
        s.old = s.slots
        s.old_mask = s.mask
        s.old_next = 0
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
        return start_index(s, FIRST if s.slots == tc_no_slots else slots * 2)
    return True


cdef inline void shrink_index(Store* s) noexcept:
    """What every removal does for it: halve it below an eighth. Out of memory, it stays."""
    if s.old != NULL:
        move_slots(s, BATCH)
    elif s.mask >= 64 and <uint64_t> s.used * 16 < s.mask:
        start_index(s, (<uint64_t> s.mask + 1) // 2)
