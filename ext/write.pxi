# Writing an entry: the one place where keys and values come into a table.

cdef int64_t lasts_for(Table table, ttl) except? -1:
    """Nanoseconds an entry lasts, from a `ttl` argument; INT64_MAX is for ever."""
    if ttl is None:
        return INT64_MAX
    return nanoseconds(ttl) if ttl else table.fresh_for


cdef int64_t nanoseconds(number) except? -1:
    """An int as a Store keeps it: from 292 years on it is for ever."""
    try:
        return number
    except OverflowError:
        return INT64_MAX if number > 0 else -INT64_MAX


cdef int write(
    Table self,
    Look* look,
    PyObject* value,
    int64_t lasts,
    int64_t weight,
    bint replace,
    uint64_t absent,
    FlightLink* flight,
) except -1:
    """Stores a value; 1 if it did, 0 if a fresh one was there or `flight` has been grounded.

    `absent` is the count of changes at which the key was known not to be there.
    """
    cdef Store* s = &self.store
    cdef PyObject** spoils = <PyObject**> tc_alloca((s.width + 1) * sizeof(void*))
    cdef PyObject* old
    cdef uint32_t i, j, taken = 0
    cdef int64_t now = 0
    cdef Entry* e
    cdef tuple packed = None
    cdef Owner owner = None
    if self.limit == 0:
        return 0
    # Everything that allocates objects or runs Python code comes first.
    if s.weak:
        owner = self.adopt(<object> look.items[0])
    if s.packed and not look.lone:
        packed = self.pack(look, owner)
    if s.detour & WATCHFUL:
        now = self.read_clock()
    while True:
        tc_acquire(&s.lock)
        i = NONE if s.changes == absent else locate(s, look)
        if i == ERROR:
            tc_release(&s.lock)
            raise_again()
        # Asked now, because all of the above may have run anybody's code.
        if self.limit == 0 or (flight != NULL and flight.grounded):
            tc_release(&s.lock)
            return 0
        if i == NONE:
            break
        e = at(s, i)
        if is_dead(s, e, now):
            self.drop_entry(i, &s.expirations)
            continue
        if not replace and is_fresh(s, e, now):
            tc_release(&s.lock)
            return 0
        old = e.value
        s.collectable += <uint64_t> tc_is_gc(value) - <uint64_t> tc_is_gc(old)
        tc_own(value)
        e.value = value
        if s.weight_at:
            s.weight -= wide(e, s.weight_at)[0]
        set_columns(s, e, now, lasts, self.stale_for, weight)
        touch(s, e, i)
        s.stores += 1
        tc_release(&s.lock)
        tc_drop(old)
        return 1
    if self.limit >= 0 and s.used >= self.limit:
        i = at(s, 0).prev
        self.unchain(i)
        take_out(s, i, spoils)
        s.evictions += 1
        taken = s.width + 1
        if s.old != NULL:
            move_slots(s, BATCH)
    else:
        s.changes += 1
        if not make_room(s) or not tend_index(s):
            tc_release(&s.lock)
            raise MemoryError
        s.used += 1
        i = s.used
    e = at(s, i)
    e.hash = look.hash
    e.value = value
    tc_own(value)
    if not s.packed:
        memcpy(key_of(e), look.items, s.width * sizeof(void*))
        if s.weak:
            key_of(e)[0] = <PyObject*> owner
    else:
        key_of(e)[0] = look.items[0] if look.lone else <PyObject*> packed
    for j in range(s.width):
        tc_own(key_of(e)[j])
    count_collectable(s, value, key_of(e), 1)
    set_columns(s, e, now, lasts, self.stale_for, weight)
    if s.weak:
        if not owner.listed:        # its last entry left just now, or the table was cleared
            self.enlist(owner)
        self.chain(owner, i)
    index_add(s, i, look.hash)
    link_first(s, e, i)
    s.stores += 1
    tc_release(&s.lock)
    for j in range(taken):
        tc_drop(spoils[j])
    return 1


cdef uint32_t locate(Store* s, Look* look) noexcept:
    """`find`, compiled once."""
    return find(s, look)


cdef inline int64_t later(int64_t now, int64_t lasts) noexcept:
    """The sum; INT64_MAX, which is for ever, and its negative are the bounds."""
    if lasts == INT64_MAX or (now > 0 and lasts > INT64_MAX - now):
        return INT64_MAX
    return -INT64_MAX if now < 0 and lasts < -INT64_MAX - now else now + lasts


cdef void set_columns(
    Store* s, Entry* e, int64_t now, int64_t lasts, int64_t stale_for, int64_t weight
) noexcept:
    if s.fresh_at:
        wide(e, s.fresh_at)[0] = later(now, lasts)
    if s.stale_at:
        wide(e, s.stale_at)[0] = later(wide(e, s.fresh_at)[0], stale_for)
    if s.weight_at:
        wide(e, s.weight_at)[0] = weight
        s.weight += weight
    if s.generation_at:
        narrow(e, s.generation_at)[0] = s.generation
