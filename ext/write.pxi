# Writing an entry: the one place where keys and values come into a table.

cdef int64_t lasts_for(Table table, ttl) except? -1:
    """Nanoseconds an entry lasts, from a `ttl` argument; INT64_MAX is for ever."""
    if ttl is None:
        return INT64_MAX
    return as_int64(ttl) if ttl else table.fresh_for


cdef int64_t as_int64(number) except? -1:
    """An int as a Store keeps it; of nanoseconds, 292 years are for ever."""
    try:
        return number
    except OverflowError:
        return INT64_MAX if number > 0 else -INT64_MAX


cdef object moment(int64_t deadline):
    """A deadline as Python sees it."""
    return None if deadline == INT64_MAX else deadline


cdef struct Until:                  # deadlines that an entry brings along
    int64_t fresh
    int64_t end


cdef int write(
    Table self,
    Look* look,
    PyObject* value,
    int64_t lasts,
    int64_t weight,
    bint replace,
    uint64_t absent,
    FlightLink* flight,
    const Until* until,
) except -1:
    """Stores a value; 1 if it did, 0 if a fresh one was there or `flight` has been grounded.

    `absent` is the count of changes at which the key was known not to be there. `lasts` says how
    long the value lasts, unless it comes with deadlines of its own.
    """
    cdef Store* s = &self.store
    cdef Spoils spoils
    cdef int64_t now = 0
    cdef int stored
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
    no_spoils(&spoils, s.width + 2, <PyObject**> tc_alloca((s.width + 2) * sizeof(void*)))
    seize(s)
    if s.timer_at:
        self.reclaim(now, &spoils)
    stored = write_inside(
        self, look, value, now, lasts, weight, replace, absent, flight, until, packed, owner,
        &spoils,
    )
    let_go(s)
    settle(self, &spoils)
    if stored == NO_MEMORY:
        raise MemoryError
    if stored == RAISED:
        raise_again()
    return stored


cdef enum:
    NO_MEMORY = -2
    RAISED = -1


cdef inline int write_inside(
    Table self, Look* look, PyObject* value, int64_t now, int64_t lasts, int64_t weight,
    bint replace, uint64_t absent, FlightLink* flight, const Until* until, tuple packed,
    Owner owner, Spoils* spoils,
) noexcept:
    """The part of a write that has the Store to itself. What leaves is among the spoils."""
    cdef Store* s = &self.store
    cdef uint32_t i = NONE, j
    cdef PyObject** record
    cdef Entry* e
    if s.changes != absent:
        i = locate(s, look)
        if i == ERROR:
            return RAISED
    # Asked now, because all of the above may have run anybody's code.
    if self.limit == 0 or (flight != NULL and flight.grounded):
        return 0
    if i != NONE and is_dead(s, at(s, i), now):
        if not self.uproot(i, EXPIRED, spoils):
            return NO_MEMORY
        i = NONE
    if tc_unlikely(self.heaviest >= 0 and weight > self.heaviest):
        s.rejections += 1
        if i != NONE and (replace or not is_fresh(s, at(s, i), now)):
            self.uproot(i, REPLACED, spoils)
        return 0
    if i != NONE:
        if not replace and is_fresh(s, at(s, i), now):
            return 0
        return replace_value(self, i, value, now, lasts, until, weight, spoils)
    if s.weight_at:
        while s.used and self.is_full(1, weight):
            i = victim_of(s)
            if not self.uproot(i, self.cause_to_leave(i, now), spoils):
                return NO_MEMORY
    if self.limit >= 0 and s.used >= self.limit:
        # One goes, and the new one takes its place.
        record = one_more(spoils, SIZE)
        if record == NULL:
            return NO_MEMORY
        i = victim_of(s)
        if s.detour or s.weak:
            (record - 1)[0] = <PyObject*> <size_t> self.cause_to_leave(i, now)
        self.tally(<int> <size_t> (record - 1)[0])
        self.unchain(i)
        take_out(s, i, record)
        if s.old != NULL:
            move_slots(s, BATCH)
    else:
        s.changes += 1
        if not make_room(s) or not tend_index(s) or (s.timer_at and not start_wheel(s, now)):
            return NO_MEMORY
        s.used += 1
        i = s.used
    e = at(s, i)
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
    set_columns(s, e, now, lasts, self.stale_for, until, weight)
    put_in(s, i, look.hash)
    if s.weak:
        if not owner.listed:        # its last entry left just now, or the table was cleared
            self.enlist(owner)
        self.chain(owner, i)
    if s.timer_at:
        schedule(s, i)
    s.stores += 1
    if tc_unlikely(s.mask >= LARGE):
        foresee(s, look.hash)
    return 1


cdef int replace_value(
    Table self, uint32_t i, PyObject* value, int64_t now, int64_t lasts, const Until* until,
    int64_t weight, Spoils* spoils,
) noexcept:
    """A new value for an entry that keeps its key, and counts as used."""
    cdef Store* s = &self.store
    cdef Entry* e = at(s, i)
    cdef PyObject* old = e.value
    cdef PyObject** record = one_more(spoils, REPLACED if old != value else UNTOLD)
    cdef uint32_t j
    if record == NULL:
        return NO_MEMORY
    record[0] = old
    memcpy(record + 1, key_of(e), s.width * sizeof(void*))
    for j in range(s.width):
        tc_own(record[1 + j])
    s.collectable += <uint64_t> tc_is_gc(value) - <uint64_t> tc_is_gc(old)
    tc_own(value)
    e.value = value
    if s.weight_at:
        s.weight -= wide(e, s.weight_at)[0]
    if s.timer_at:
        unschedule(s, i)
    set_columns(s, e, now, lasts, self.stale_for, until, weight)
    if s.timer_at:
        schedule(s, i)
    touch(s, i)
    s.stores += 1
    while s.used and self.is_full(0, 0):
        i = victim_of(s)
        if not self.uproot(i, self.cause_to_leave(i, now), spoils):
            break
    return 1


cdef uint32_t locate(Store* s, Look* look) noexcept:
    """`find`, compiled once."""
    return find(s, look)


cdef void set_columns(
    Store* s, Entry* e, int64_t now, int64_t lasts, int64_t stale_for, const Until* until,
    int64_t weight,
) noexcept:
    if s.fresh_at:
        wide(e, s.fresh_at)[0] = later(now, lasts) if until == NULL else until.fresh
    if s.stale_at:
        wide(e, s.stale_at)[0] = (
            later(wide(e, s.fresh_at)[0], stale_for) if until == NULL else until.end
        )
    if s.idle_at:
        wide(e, s.idle_at)[0] = later(now, s.idle_for)
    if s.weight_at:
        wide(e, s.weight_at)[0] = weight
        s.weight += weight
    if s.generation_at:
        narrow(e, s.generation_at)[0] = s.generation
