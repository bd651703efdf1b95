# The memory of a table: entries, index, order. Knows no Python code: nothing here can call back.
# Longer than 400 lines because entries, index and order change together: each step of a change is
# only right beside the others.
#
# Entries lie inline in chunks, densely from 1 to `used`; entry 0 is the sentinel of the ring that
# is the order of use (its `next` is the most, its `prev` the least recently used one). An entry is
# its header, `width` key objects, and the columns that the table asked for, so that an option
# that is off takes no room. A chunk is never moved once it is full, so growing copies at most the
# first one, and memory follows the number of entries, not the next power of two.
#
# The index is an open-addressed array of 32-bit slots with linear probing. A slot holds an
# entry's number in the bits of `mask` and bits of its hash above them, so one comparison rules
# out nearly every other entry without touching it; 0 is a free slot. Removing shifts back what
# follows (Knuth, TAOCP 3, 6.4 R), so there are no tombstones and no rehash to clean them up.
#
# Growing never rehashes at once: `old` keeps the smaller index while every write moves a few of
# its slots over (an incremental rehash as in Redis' dict.c design notes; own code). An entry is
# in exactly one of the two. Slots taken out of `old` become GONE, which only `old` ever holds.
#
# Removing entry i moves the last entry to i, so there are no holes and no list of free places.
# `changes` counts whatever moves or removes entries: who ran Python code in between compares it.

from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from gate cimport tc_is_gc, tc_lines_free, tc_lines_new, tc_lock, tc_unlikely

cdef enum:
    CHUNK_BITS = 14
    CHUNK = 1 << CHUNK_BITS      # entries in a chunk
    FIRST = 8                    # entries and slots to begin with
    BATCH = 16                   # slots of the old index moved by one write
    SMALL = 1 << 16              # slots up to which half of the room is spent to avoid collisions
    WIDEST = 255                 # key objects kept inline; of wider keys the tuple is kept

cdef enum:
    WATCHFUL = 1                 # entries may be dead: look at the columns and the clock
    OFF = 2                      # bypass, maxsize 0, or a clock that is Python code

cdef struct Entry:
    uint64_t hash
    PyObject* value
    uint32_t prev
    uint32_t next
    # PyObject* key[width], then the optional columns

cdef struct FlightLink:
    uint64_t hash
    FlightLink* prev
    FlightLink* next
    bint grounded

cdef struct Store:
    # what a hit reads
    char** chunks                # where entry 0 would be if the chunk's others came before it
    uint32_t* slots
    uint32_t mask
    uint32_t shift               # 64 less the bits of `mask`
    uint32_t stride
    int detour                   # 0: hits may go the shortest way; WATCHFUL, OFF, or both
    bint ordered                 # bounded, so hits move their entry
    bint packed                  # one key object: a tuple, or a lone int or str
    bint weak                    # the first key object is an Owner, told by identity
    int64_t valid_until
    uint64_t hits
    uint32_t fresh_at            # where a column lies in an entry; 0: there is none
    uint32_t generation_at
    uint32_t* old
    # what a write reads
    uint32_t old_mask
    uint32_t old_next
    uint32_t used
    uint32_t room                # entries that the chunks have room for, the sentinel counted
    uint32_t directory           # length of `chunks`
    uint32_t width
    uint32_t stale_at
    uint32_t weight_at
    uint32_t chain_at
    uint32_t generation
    uint64_t changes
    uint64_t collectable         # key objects and values that the collector has to see
    int64_t weight
    FlightLink* flights
    uint64_t misses
    uint64_t stores
    uint64_t evictions
    uint64_t expirations
    uint64_t removals
    uint64_t collected
    uint64_t bypasses
    FlightLink* spare_flights
    PyObject* table              # whose Store this is
    tc_lock lock

cdef extern from *:
    """
    #define TC_NONE 0u
    #define TC_ERROR UINT32_MAX
    #define TC_GONE UINT32_MAX
    static uint32_t tc_no_slots[2] = {0, 0};
    """
    const uint32_t NONE "TC_NONE"           # no entry has this number
    const uint32_t ERROR "TC_ERROR"         # a look-up that raised
    const uint32_t GONE "TC_GONE"           # a slot of `old` whose entry has moved or left
    uint32_t* tc_no_slots                   # the index of an empty table: look-ups end at once


# -- entries -------------------------------------------------------------------------------------

cdef inline Entry* place(char** chunks, size_t stride, uint32_t i) noexcept nogil:
    return <Entry*> (chunks[i >> CHUNK_BITS] + i * stride)


cdef inline Entry* at(Store* s, uint32_t i) noexcept nogil:
    return place(s.chunks, s.stride, i)


cdef inline PyObject** key_of(Entry* e) noexcept nogil:
    return <PyObject**> (e + 1)


cdef inline int64_t* wide(Entry* e, uint32_t column) noexcept nogil:
    return <int64_t*> (<char*> e + column)


cdef inline uint32_t* narrow(Entry* e, uint32_t column) noexcept nogil:
    return <uint32_t*> (<char*> e + column)


cdef inline void lay_out(
    Store* s, uint32_t width, bint timed, bint stale, bint weighted, bint generational, bint weak
) noexcept:
    cdef uint32_t size = (sizeof(Entry) + width * sizeof(void*) + 7) & ~<uint32_t> 7
    s.width = width
    if timed:
        s.fresh_at = size
        size += 8
    if stale:
        s.stale_at = size
        size += 8
    if weighted:
        s.weight_at = size
        size += 8
    if weak:
        s.chain_at = size
        size += 8
    if generational:
        s.generation_at = size
        size += 8
    s.stride = size
    s.slots = tc_no_slots
    s.shift = 63
    s.valid_until = INT64_MAX


cdef inline bint make_room(Store* s) noexcept:
    """Makes room for one more entry; False if there is no memory."""
    cdef uint32_t chunk = s.room >> CHUNK_BITS
    cdef uint32_t more
    cdef char** directory
    cdef char* memory
    if s.used + 1 < s.room:
        return True
    if s.room < CHUNK:
        more = s.room * 2 if s.room else FIRST
        if s.chunks == NULL:
            s.chunks = <char**> malloc(sizeof(char*))
            if s.chunks == NULL:
                return False
            s.chunks[0] = NULL
            s.directory = 1
        memory = <char*> tc_lines_new(<size_t> more * s.stride)
        if memory == NULL:
            return False
        if s.room:
            memcpy(memory, s.chunks[0], <size_t> s.room * s.stride)
            tc_lines_free(s.chunks[0])
        s.chunks[0] = memory
        if s.room == 0:
            at(s, 0).prev = at(s, 0).next = 0
        s.room = more
        return True
    if chunk == s.directory:
        directory = <char**> realloc(s.chunks, 2 * s.directory * sizeof(char*))
        if directory == NULL:
            return False
        s.chunks = directory
        s.directory *= 2
    memory = <char*> tc_lines_new(<size_t> CHUNK * s.stride)
    if memory == NULL:
        return False
    s.chunks[chunk] = memory - <size_t> s.room * s.stride
    s.room += CHUNK
    return True


cdef inline void give_back(Store* s) noexcept:
    """Frees the last chunk once a whole one besides it is empty."""
    if s.room > 2 * CHUNK and s.used + 1 <= s.room - 2 * CHUNK:
        s.room -= CHUNK
        tc_lines_free(at(s, s.room))


cdef inline void free_memory(Store* s) noexcept:
    cdef uint32_t first
    if s.chunks != NULL:
        for first in range(0, s.room, CHUNK):
            tc_lines_free(at(s, first))
        free(s.chunks)
    if s.slots != tc_no_slots:
        free(s.slots)
    free(s.old)


# -- order of use ----------------------------------------------------------------------------------

cdef inline void unlink(Store* s, Entry* e) noexcept nogil:
    at(s, e.prev).next = e.next
    at(s, e.next).prev = e.prev


cdef inline void link_first(Store* s, Entry* e, uint32_t i) noexcept nogil:
    cdef Entry* ring = at(s, 0)
    cdef uint32_t first = ring.next
    e.prev = 0
    e.next = first
    at(s, first).prev = i
    ring.next = i


cdef inline void touch(Store* s, Entry* e, uint32_t i) noexcept nogil:
    """Makes entry i the most recently used one."""
    cdef char** chunks = s.chunks       # read once: the writes below might alias the Store
    cdef size_t stride = s.stride
    cdef uint32_t prev = e.prev, next = e.next, first
    cdef Entry* ring
    if s.ordered and prev != 0:
        place(chunks, stride, prev).next = next
        place(chunks, stride, next).prev = prev
        ring = <Entry*> chunks[0]
        first = ring.next
        e.prev = 0
        e.next = first
        place(chunks, stride, first).prev = i
        ring.next = i


# -- index -----------------------------------------------------------------------------------------

cdef extern from *:
    """
    #if defined(_MSC_VER)
    static inline int tc_leading_zeros(uint32_t x)
    { unsigned long i; return _BitScanReverse(&i, x) ? 31 - (int)i : 32; }
    #else
    #define tc_leading_zeros(x) ((x) ? __builtin_clz(x) : 32)
    #endif
    """
    uint32_t tc_leading_zeros(uint32_t) noexcept nogil


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


# -- putting in and taking out ---------------------------------------------------------------------

cdef inline void count_collectable(Store* s, PyObject* value, PyObject** key, int sign) noexcept:
    cdef uint32_t j
    if tc_is_gc(value):
        s.collectable += sign
    for j in range(s.width):
        if tc_is_gc(key[j]):
            s.collectable += sign


cdef inline void take_out(Store* s, uint32_t i, PyObject** spoils) noexcept:
    """Detaches entry i from order and index; its references become the caller's to drop.

    `spoils` has room for the value and `width` key objects. The place i is left blank: the
    caller fills it again or closes the gap.
    """
    cdef Entry* e = at(s, i)
    spoils[0] = e.value
    memcpy(spoils + 1, key_of(e), s.width * sizeof(void*))
    count_collectable(s, e.value, key_of(e), -1)
    if s.weight_at:
        s.weight -= wide(e, s.weight_at)[0]
    index_remove(s, i)
    unlink(s, e)
    s.changes += 1


cdef inline void close_gap(Store* s, uint32_t i) noexcept:
    """Moves the last entry to the blank place i; chains are the caller's business."""
    cdef uint32_t last = s.used
    cdef uint32_t* slot
    cdef Entry* e
    if i != last:
        slot = index_slot(s, last)
        slot[0] += i - last
        e = at(s, i)
        memcpy(e, at(s, last), s.stride)
        at(s, e.prev).next = i
        at(s, e.next).prev = i
    s.used -= 1
    shrink_index(s)
    give_back(s)


# -- flights ---------------------------------------------------------------------------------------

# Never on the C stack of who calls: greenlets swap stacks in the middle of a call.

cdef inline void take_off(Store* s, FlightLink* flight, uint64_t hash) noexcept nogil:
    flight.hash = hash
    flight.grounded = False
    flight.prev = NULL
    flight.next = s.flights
    if s.flights != NULL:
        s.flights.prev = flight
    s.flights = flight


cdef inline void touch_down(Store* s, FlightLink* flight) noexcept nogil:
    if flight.prev != NULL:
        flight.prev.next = flight.next
    else:
        s.flights = flight.next
    if flight.next != NULL:
        flight.next.prev = flight.prev


cdef inline void ground(Store* s, uint64_t hash, bint all) noexcept nogil:
    cdef FlightLink* flight = s.flights
    while flight != NULL:
        if all or flight.hash == hash:
            flight.grounded = True
        flight = flight.next


cdef inline FlightLink* start_flight(Store* s, uint64_t hash) noexcept:
    """A flight of the C core's own, to be ended by `end_flight`; NULL if there is no memory."""
    cdef FlightLink* flight = s.spare_flights
    if flight != NULL:
        s.spare_flights = flight.next
    else:
        flight = <FlightLink*> malloc(sizeof(FlightLink))
        if flight == NULL:
            return NULL
    take_off(s, flight, hash)
    return flight


cdef inline void end_flight(Store* s, FlightLink* flight) noexcept nogil:
    touch_down(s, flight)
    flight.next = s.spare_flights
    s.spare_flights = flight


cdef inline void free_flights(Store* s) noexcept:
    cdef FlightLink* flight
    while s.spare_flights != NULL:
        flight = s.spare_flights
        s.spare_flights = flight.next
        free(flight)
