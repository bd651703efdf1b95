# Ghosts: the hashes of the latest keys that had to leave, in the order in which they left.
#
# A queue of nodes linked by number, with node 0 as its beginning and end, and an open-addressed
# index over them as in `index.pxd`. 16 bytes a ghost, and 8 to 16 of index. Room is made for as many
# as are asked for when the first one comes, and for a quarter more whenever that is too little; the
# system gives it page by page. Out of memory, no more are remembered.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from gate cimport tc_leading_zeros

cdef struct Ghost:
    uint64_t hash
    uint32_t earlier
    uint32_t later

cdef struct Ghosts:
    Ghost* nodes
    uint32_t* slots
    uint32_t mask
    uint32_t room                # nodes, node 0 counted
    uint32_t made                # nodes that were ever used, node 0 counted
    uint32_t free
    uint32_t length


cdef inline void free_ghosts(Ghosts* g) noexcept nogil:
    free(g.nodes)
    free(g.slots)
    g.nodes = NULL
    g.slots = NULL
    g.room = g.made = g.free = g.length = g.mask = 0


cdef inline uint32_t ghost_home(Ghosts* g, uint64_t hash) noexcept nogil:
    return <uint32_t> (hash >> 32 >> tc_leading_zeros(g.mask))


cdef inline uint32_t ghost_position(Ghosts* g, uint64_t hash) noexcept nogil:
    """Where the hash stands in the index, or the free slot where it would."""
    cdef uint32_t position = ghost_home(g, hash)
    while g.slots[position] and g.nodes[g.slots[position]].hash != hash:
        position = (position + 1) & g.mask
    return position


cdef inline void unlink_ghost(Ghosts* g, uint32_t n) noexcept nogil:
    g.nodes[g.nodes[n].earlier].later = g.nodes[n].later
    g.nodes[g.nodes[n].later].earlier = g.nodes[n].earlier


cdef inline void link_ghost(Ghosts* g, uint32_t n) noexcept nogil:
    """Makes it the latest."""
    g.nodes[n].later = 0
    g.nodes[n].earlier = g.nodes[0].earlier
    g.nodes[g.nodes[0].earlier].later = n
    g.nodes[0].earlier = n


cdef inline void lay_ghost(Ghosts* g, uint32_t position) noexcept nogil:
    """Forgets the ghost at a position of the index."""
    cdef uint32_t hole = position, home, n = g.slots[position]
    unlink_ghost(g, n)
    g.nodes[n].later = g.free
    g.free = n
    g.length -= 1
    while True:
        position = (position + 1) & g.mask
        if g.slots[position] == 0:
            break
        home = ghost_home(g, g.nodes[g.slots[position]].hash)
        if ((position - home) & g.mask) >= ((position - hole) & g.mask):
            g.slots[hole] = g.slots[position]
            hole = position
    g.slots[hole] = 0


cdef inline bint make_room_for_ghosts(Ghosts* g, uint32_t most) noexcept nogil:
    """Room for so many and one more; those that there are move in. False without memory."""
    cdef Ghosts old = g[0]
    cdef uint32_t n
    cdef uint64_t slots
    if old.nodes != NULL:
        most += most // 4           # a table bounded by weight grows one by one: not each time anew
    slots = <uint64_t> 2 << (32 - tc_leading_zeros(most + 1))
    g.nodes = <Ghost*> calloc(<size_t> most + 2, sizeof(Ghost))
    g.slots = <uint32_t*> calloc(slots, sizeof(uint32_t))
    if g.nodes == NULL or g.slots == NULL:
        free(g.nodes)
        free(g.slots)
        g[0] = old
        return False
    g.room = most + 2
    g.made = 1
    g.mask = <uint32_t> (slots - 1)
    g.free = g.length = 0
    if old.nodes != NULL:
        n = old.nodes[0].later
        while n:
            add_ghost(g, old.nodes[n].hash)
            n = old.nodes[n].later
        free_ghosts(&old)
    return True


cdef inline void add_ghost(Ghosts* g, uint64_t hash) noexcept nogil:
    """Remembers a hash that isn't remembered yet; there is room."""
    cdef uint32_t n = g.free
    if n:
        g.free = g.nodes[n].later
    else:
        n = g.made
        g.made += 1
    g.nodes[n].hash = hash
    link_ghost(g, n)
    g.slots[ghost_position(g, hash)] = n
    g.length += 1


cdef inline void remember(Ghosts* g, uint64_t hash, uint32_t most) noexcept nogil:
    """Makes a hash the latest of at most so many ghosts."""
    cdef uint32_t n
    if most + 2 > g.room and not make_room_for_ghosts(g, most) and g.room == 0:
        return
    n = g.slots[ghost_position(g, hash)]
    if n:
        unlink_ghost(g, n)
        link_ghost(g, n)
    else:
        if g.length + 2 > g.room - 1:
            lay_ghost(g, ghost_position(g, g.nodes[g.nodes[0].later].hash))
        add_ghost(g, hash)
    while g.length > most:
        lay_ghost(g, ghost_position(g, g.nodes[g.nodes[0].later].hash))


cdef inline bint returns(Ghosts* g, uint64_t hash) noexcept nogil:
    """Whether a hash is remembered; it no longer is."""
    cdef uint32_t position
    if g.length == 0:
        return False
    position = ghost_position(g, hash)
    if g.slots[position] == 0:
        return False
    lay_ghost(g, position)
    return True
