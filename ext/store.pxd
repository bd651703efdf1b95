# The memory of a table, and how entries lie in it. Neither here nor in `index`, `order`, `wheel`,
# `changes` and `flights`, which work on it, does any Python code run: nothing can call back.
#
# Entries lie inline in chunks, densely from 1 to `used`; entry 0 is the sentinel of a ring, the
# order of those policies that need no more than one (its `next` is the front, its `prev` the back).
# An entry is its header, `width` key objects, and the columns that the table asked for, so that an
# option that is off takes no room. The lowest 8 bits of an entry's hash are its *mark*, the
# policy's own: how often it was used, say; nothing else looks at these bits. A chunk is never moved
# once it is full, so growing copies at most the first one, and memory follows the number of
# entries, not the next power of two.
#
# Removing entry i moves the last entry to i, so there are no holes and no list of free places.
# `changes` counts whatever moves or removes entries: who ran Python code in between compares it.

from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from gate cimport *

cdef enum:
    CHUNK_BITS = 14
    CHUNK = 1 << CHUNK_BITS      # entries in a chunk
    FIRST = 8                    # entries to begin with
    LINE = 16                    # slots to begin with, and in a cache line
    NEAR = 8                     # the bit of a hash from which on four tell the place in a line
    BATCH = 16                   # slots of the old index moved by one write
    PIECE = 1 << 16              # slots of it given back at a time
    SMALL = 1 << 22              # slots up to which half of the room is spent to avoid collisions
    LARGE = 1 << 16              # slots from which on writes fetch ahead what the next will touch
    WIDEST = 255                 # key objects kept inline; of wider keys the tuple is kept

cdef enum:
    WATCHFUL = 1                 # entries may be dead: look at the columns and the clock
    OFF = 2                      # bypass, maxsize 0, or a clock that is Python code
    ASIDE = 4                    # a hit does something else than to move its entry to the front

cdef enum:
    MARKS = 256                  # below this in a hash: the mark
    BUNDLE = 64                  # hits that are noted before the policy may hear of them …
    NOTES = TC_NOTES             # … and must

cdef enum:
    TICK_BITS = 27               # a tick of the wheel is 2^27 ns
    SLOT_BITS = 6                # 64 buckets
    LEVELS = 6                   # at each of 6 levels

cdef enum:                       # what a hit does for the policy
    NOTHING
    COUNT                        # counts in the mark
    MOVE                         # puts the entry at the front of the ring
    NOTE                         # notes the entry's number
    IDLES = 8                    # and, added to these: sets the time at which it is idle too long

cdef struct Entry:
    uint64_t hash                # its lowest 8 bits are the mark
    PyObject* value
    uint32_t prev
    uint32_t next
    # PyObject* key[width], then the optional columns

cdef struct FlightLink:
    uint64_t hash
    FlightLink* prev
    FlightLink* next
    bint grounded

cdef struct Reader:              # where a hit leaves its traces; one for each thread without the GIL
    uint64_t hits
    uint32_t noted
    tc_latch latch
    uint32_t notes[NOTES]

# What a policy does; NULL is what the plain ring does: in at the front, out at the back. It never
# runs Python code and, but for growing what it keeps, never allocates. A queue of its own links
# entries by their `prev` and `next` as it likes.

cdef struct Policy:
    const char* name
    int on_hit                   # NOTHING, MOVE, COUNT or NOTE
    uint8_t counts               # up to what COUNT counts
    uint32_t room                # bytes of the policy's own column (`policy_at`), a multiple of 8
    void* (*start)() noexcept nogil                         # makes `state`; NULL: no memory
    void (*stop)(void* state) noexcept nogil
    void (*cleared)(Store* s) noexcept nogil                # all entries have left
    void (*added)(Store* s, uint32_t i) noexcept nogil      # entry i is new: link it
    void (*used)(Store* s, uint32_t i) noexcept nogil       # a hit that was noted
    uint32_t (*victim)(Store* s) noexcept nogil             # the entry that leaves now
    void (*left)(Store* s, uint32_t i) noexcept nogil       # entry i leaves: unlink it
    void (*moved)(Store* s, uint32_t last, uint32_t i) noexcept nogil   # `last` is now called i
    uint32_t (*warmer)(Store* s, uint32_t i) noexcept nogil # after entry i, coldest first; 0: begin, end

cdef struct Wheel:               # see wheel.pxd
    int64_t origin               # the tick of the clock that is tick 0 here
    int64_t tick                 # all before it is dealt with
    uint64_t occupied[LEVELS]    # a bit for each bucket that holds anything
    uint32_t first[LEVELS << SLOT_BITS]

cdef struct Store:
    # what a hit reads
    char** chunks                # where entry 0 would be if the chunk's others came before it
    uint32_t* slots
    uint32_t mask
    uint32_t shift               # 64 less the bits of `mask`
    uint32_t stride
    int detour                   # 0: hits may go the shortest way; else WATCHFUL, OFF, ASIDE
    int on_hit                   # what a hit does: the policy's, or NOTHING where no order is kept
    uint8_t counts
    bint packed                  # one key object: a tuple, or a lone int or str
    bint weak                    # the first key object is an Owner, told by identity
    int64_t valid_until
    int64_t idle_for             # time to idle, nanoseconds
    uint32_t fresh_at            # where a column lies in an entry; 0: there is none
    uint32_t idle_at
    uint32_t generation_at
    uint32_t* old
    Reader reader                # the only one under the GIL
    # what a write reads
    uint32_t old_mask
    uint32_t old_next
    uint32_t old_gap             # the last free slot of `old` before that
    uint32_t old_done            # slots of `old` that were given back
    uint32_t used
    uint32_t room                # entries that the chunks have room for, the sentinel counted
    uint32_t directory           # length of `chunks`
    uint32_t width
    uint32_t stale_at
    uint32_t weight_at
    uint32_t chain_at
    uint32_t timer_at
    uint32_t policy_at
    uint32_t generation
    const Policy* policy
    void* state                  # the policy's
    Wheel* wheel                 # NULL while nothing has a deadline
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
    uint64_t rejections
    FlightLink* spare_flights
    PyObject* table              # whose Store this is
    tc_lock lock
    Reader* readers[TC_READERS]  # without the GIL: each made when its thread comes first

cdef extern from *:
    """
    #define TC_NONE 0u
    #define TC_ERROR UINT32_MAX
    #define TC_GONE UINT32_MAX
    static uint32_t tc_no_slots[16] = {0};
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


cdef inline uint8_t* mark_of(Entry* e) noexcept nogil:
    return tc_lowest_byte(&e.hash)


cdef inline bint same_hash(Entry* e, uint64_t hash) noexcept nogil:
    return (e.hash ^ hash) < MARKS


cdef inline int64_t later(int64_t now, int64_t lasts) noexcept nogil:
    """The sum; INT64_MAX, which is for ever, and its negative are the bounds."""
    if lasts == INT64_MAX or (now > 0 and lasts > INT64_MAX - now):
        return INT64_MAX
    return -INT64_MAX if now < 0 and lasts < -INT64_MAX - now else now + lasts


cdef inline void lay_out(
    Store* s, const Policy* policy, uint32_t width,
    bint timed, bint stale, bint idle, bint weighted, bint generational, bint weak
) noexcept:
    cdef uint32_t size = (sizeof(Entry) + width * sizeof(void*) + 7) & ~<uint32_t> 7
    s.width = width
    if timed:
        s.fresh_at = size
        s.timer_at = size + 8
        size += 16
    if stale:
        s.stale_at = size
        size += 8
    if idle:
        s.idle_at = size
        size += 8
    if weighted:
        s.weight_at = size
        size += 8
    if policy.room:
        s.policy_at = size
        size += policy.room
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
    free(s.wheel)
    if s.chunks != NULL:
        for first in range(0, s.room, CHUNK):
            tc_lines_free(at(s, first))
        free(s.chunks)
    if s.slots != tc_no_slots:
        tc_zeros_free(s.slots, (<size_t> s.mask + 1) * sizeof(uint32_t))
    tc_zeros_free(s.old, (<size_t> s.old_mask + 1) * sizeof(uint32_t))
