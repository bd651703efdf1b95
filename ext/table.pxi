# Table: what Python sees of a store, and what keeps its objects alive.
#
# Longer than 400 lines because an extension type is one class statement: the questions, the
# look-ups, the changes, and the chains that lead from an object held weakly to its entries.

cdef enum:
    KINDS = 7

cdef Policy policies_known[KINDS]
fill_lru(&policies_known[0])        # the default
fill_fifo(&policies_known[1])       # order of insertion, where there is no bound
fill_random(&policies_known[2])
fill_lfu(&policies_known[3])
fill_sieve(&policies_known[4])
fill_s3fifo(&policies_known[5])
fill_tinylfu(&policies_known[6])
POLICIES = tuple([policies_known[_k].name.decode() for _k in range(KINDS)])
cdef tuple names_of_policies = POLICIES
cdef PyObject* hook_asked = NULL            # who answers all calls of all gates; see `detour`
cdef object UNCHANGED = type("_Unchanged", (), {"__repr__": lambda self: "unchanged"})()


cdef const Policy* policy_named(name) except NULL:
    if name not in names_of_policies:
        raise ValueError(f"policy must be one of {', '.join(names_of_policies)}, not {name!r}")
    return &policies_known[names_of_policies.index(name)]


@cython.final
@cython.no_gc_clear
cdef class Table:
    """A bounded store of entries. See `_core_py.Table`."""

    cdef Store store
    cdef object __weakref__
    cdef object bounded             # maxsize as it was given
    cdef readonly object width
    cdef readonly object ttl
    cdef readonly object stale
    cdef readonly object tti
    cdef readonly object clock
    cdef public object on_removal
    cdef const Policy* chosen
    cdef bint always_ordered
    cdef object heaviest_given      # max_weight as it was given
    cdef int64_t heaviest           # max_weight; -1 is no bound
    cdef dict owners                # address of an object → its Owner, in a weak table
    cdef int64_t limit              # maxsize; -1 is unbounded
    cdef Py_ssize_t exact           # width; -1 if keys differ in length
    cdef int64_t fresh_for          # nanoseconds; INT64_MAX is for ever
    cdef int64_t stale_for
    cdef int bypass_depth

    def __cinit__(
        self,
        maxsize,
        *,
        policy="lru",
        width=None,
        ttl=None,
        stale=None,
        tti=None,
        bint timed=False,
        bint weak=False,
        bint weighted=False,
        max_weight=None,
        bint ordered=False,
        bint generational=False,
        clock=None,
        on_removal=None,
    ):
        cdef Store* s = &self.store
        s.slots = tc_no_slots
        s.table = <PyObject*> self
        self.exact = -1 if width is None else width
        if self.exact < 0 and width is not None:
            raise ValueError("width is a number of objects or None")
        self.width = width
        self.ttl = ttl
        self.stale = stale
        self.tti = tti
        self.clock = clock
        self.on_removal = on_removal
        self.chosen = policy_named(policy)
        self.always_ordered = ordered
        if weak:
            self.owners = {}
        self.fresh_for = INT64_MAX if ttl is None else as_int64(ttl)
        self.stale_for = 0 if stale is None else as_int64(stale)
        s.idle_for = INT64_MAX if tti is None else as_int64(tti)
        timed = timed or ttl is not None or stale is not None or tti is not None
        weighted = weighted or max_weight is not None
        s.packed = self.exact < 0 or self.exact > WIDEST
        s.weak = weak
        lay_out(s, self.chosen, 1 if s.packed else self.exact, timed, stale is not None,
                tti is not None, weighted, generational, weak)
        self.bound(maxsize, max_weight)
        self.look_where()

    cdef int bound(self, maxsize, max_weight) except -1:
        """Sets the bounds. Where there are none, order of insertion will do for a policy."""
        cdef Store* s = &self.store
        cdef int64_t limit = -1 if maxsize is None else max(min(maxsize, 0x7FFFFFFF), 0)
        cdef int64_t heaviest = -1 if max_weight is None else max(as_int64(max_weight), 0)
        cdef bint is_kept = limit >= 0 or heaviest >= 0 or self.always_ordered
        cdef const Policy* policy = self.chosen if is_kept else &policies_known[1]
        cdef bint done = True
        seize(s)
        if s.policy != policy:
            done = self.change_policy(policy)
        if done:
            maxsize, self.bounded = self.bounded, maxsize   # what it was is dropped at the end
            max_weight, self.heaviest_given = self.heaviest_given, max_weight
            self.limit = limit
            self.heaviest = heaviest
            keep_order(s, is_kept)
        let_go(s)
        if not done:
            raise MemoryError
        return 0

    cdef bint change_policy(self, const Policy* policy) noexcept:
        """Another policy takes over, with the entries in the order so far."""
        cdef Store* s = &self.store
        cdef uint32_t* order = <uint32_t*> malloc((<size_t> s.used + 1) * sizeof(uint32_t))
        cdef uint32_t i = 0, n = 0, k
        if order == NULL:
            return False
        if s.used:
            n = self.list_order(order)
        if not take_office(s, policy):
            free(order)
            return False
        if s.room:
            at(s, 0).prev = at(s, 0).next = 0
        for k in range(n):
            enrol(s, order[k])
        free(order)
        return True

    cdef uint32_t list_order(self, uint32_t* order) noexcept:
        """The entries' numbers, coldest first; how many there are."""
        cdef Store* s = &self.store
        cdef uint32_t n = 0, i = warmer_than(s, 0) if s.used else 0
        while i != 0:
            order[n] = i
            n += 1
            i = warmer_than(s, i)
        return n

    cdef void look_where(self) noexcept:
        """Decides what a hit has to look at."""
        cdef Store* s = &self.store
        cdef int detour = 0     # at once, for hits look at it at any time
        tc_acquire(&s.lock)     # of two who set something the later one sees both
        if s.fresh_at or s.generation_at or s.valid_until != INT64_MAX:
            detour = WATCHFUL if self.clock is None else WATCHFUL | OFF
        if s.on_hit != MOVE:
            detour |= ASIDE
        if self.bypass_depth or self.limit == 0 or tc_load_pointer(<void**> &hook_asked) != NULL:
            detour |= OFF
        s.detour = detour
        tc_release(&s.lock)

    def __dealloc__(self):
        self.empty(-1)
        leave_office(&self.store)
        free_readers(&self.store)
        free_flights(&self.store)

    cdef void empty(self, int cause) noexcept:
        """Frees everything; what entries refer to is dropped when the table is already empty.

        With a cause it also sets the counters to zero, grounds all flights and tells the listener.
        """
        cdef Store* s = &self.store
        cdef Store gone
        cdef uint32_t i, j
        cdef Entry* e
        cdef Py_ssize_t place = 0
        cdef PyObject* owner
        cdef uint32_t* order = NULL
        cdef uint32_t n = 0
        cdef PyObject** record
        cdef dict owners = {} if s.weak else None   # here: an allocation may run the collector
        seize(s)
        if cause >= 0:
            ground(s, 0, True)
            forget_hits(s)
            s.misses = s.stores = s.evictions = s.expirations = s.removals = 0
            s.collected = s.bypasses = s.rejections = 0
            if self.on_removal is not None and s.used:
                order = <uint32_t*> malloc(s.used * sizeof(uint32_t))
                if order != NULL:
                    n = self.list_order(order)
        memcpy(&gone, s, sizeof(Store))
        if s.weak:
            owners, self.owners = self.owners, owners
            while PyDict_Next(<PyObject*> owners, &place, NULL, &owner):
                (<Owner> owner).listed = False
            for i in range(1, s.used + 1):      # any owner with entries, listed or not
                (<Owner> self.owner_at(i)).head = 0
        s.chunks = NULL
        s.slots = tc_no_slots
        s.shift = 63
        s.old = NULL
        s.mask = s.used = s.room = s.directory = 0
        s.collectable = 0
        s.weight = 0
        s.wheel = NULL
        s.changes += 1
        if s.policy != NULL and s.policy.cleared != NULL:
            s.policy.cleared(s)
        let_go(s)
        if order != NULL:
            record = <PyObject**> tc_alloca((gone.width + 1) * sizeof(void*))
            for i in range(n):
                e = at(&gone, order[i])
                record[0] = e.value
                memcpy(record + 1, key_of(e), gone.width * sizeof(void*))
                tell(self, record, cause)
            free(order)
        for i in range(1, gone.used + 1):
            e = at(&gone, i)
            tc_drop(e.value)
            for j in range(gone.width):
                tc_drop(key_of(e)[j])
        free_memory(&gone)

    # -- what can be asked and set ------------------------------------------------------------------

    def __len__(self):
        return self.store.used

    @property
    def maxsize(self):
        tc_acquire(&self.store.lock)
        maxsize = self.bounded
        tc_release(&self.store.lock)
        return maxsize

    @property
    def max_weight(self):
        tc_acquire(&self.store.lock)
        max_weight = self.heaviest_given
        tc_release(&self.store.lock)
        return max_weight

    @property
    def policy(self):
        return self.chosen.name.decode()

    @property
    def timed(self):
        return self.store.fresh_at != 0

    @property
    def weak(self):
        return bool(self.store.weak)

    @property
    def weighted(self):
        return self.store.weight_at != 0

    @property
    def generational(self):
        return self.store.generation_at != 0

    @property
    def weight(self):
        return self.store.weight

    @property
    def generation(self):
        return self.store.generation

    @generation.setter
    def generation(self, uint32_t generation):
        self.store.generation = generation

    @property
    def bypass(self):
        return self.bypass_depth

    @bypass.setter
    def bypass(self, int depth):
        self.bypass_depth = depth
        self.look_where()

    @property
    def valid_until(self):
        return None if self.store.valid_until == INT64_MAX else self.store.valid_until

    @valid_until.setter
    def valid_until(self, deadline):
        self.store.valid_until = INT64_MAX if deadline is None else as_int64(deadline)
        self.look_where()

    cdef int64_t read_clock(self) except? -1:
        if self.clock is None:
            return tc_now()
        return min(as_int64(self.clock()), INT64_MAX - 1)   # what is for ever lies ahead of any time

    def now(self):
        return tc_now() if self.clock is None else self.clock()

    def counters(self):
        cdef Store* s = &self.store
        cdef Store read
        cdef uint64_t hits
        seize(s)
        memcpy(&read, s, sizeof(Store))
        hits = hits_of(s)
        let_go(s)
        return (hits, read.misses, read.stores, read.evictions, read.expirations,
                read.removals, read.collected, read.bypasses, read.rejections)

    def count_bypass(self):
        tc_acquire(&self.store.lock)
        self.store.bypasses += 1
        tc_release(&self.store.lock)

    # -- look-up ------------------------------------------------------------------------------------

    def get(self, key, default=None):
        cdef Look look
        cdef object value = default
        cdef Store* s = &self.store
        self.see(key, &look)
        look.now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        seize(s)
        i = locate(s, &look)
        if i == ERROR:
            let_go(s)
            raise_again()
        if i != NONE and is_fresh(s, at(s, i), look.now):
            s.reader.hits += 1
            value = <object> at(s, i).value
            use(s, i, look.now)
        else:
            s.misses += 1
            if i != NONE and is_dead(s, at(s, i), look.now):
                self.drop_entry(i, EXPIRED)
                return default
        let_go(s)
        return value

    def peek(self, key, default=None, *, bint stale=False):
        cdef Look look
        cdef object value = default
        cdef Store* s = &self.store
        self.see(key, &look)
        look.now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        seize(s)
        i = locate(s, &look)
        if i == ERROR:
            let_go(s)
            raise_again()
        if i != NONE and (
            is_fresh(s, at(s, i), look.now)
            or (stale and look.now < s.valid_until and not is_dead(s, at(s, i), look.now))
        ):
            value = <object> at(s, i).value
        let_go(s)
        return value

    def look(self, key):
        cdef Look look
        cdef object value = None
        cdef int64_t fresh = INT64_MAX, end = INT64_MAX
        cdef Store* s = &self.store
        cdef bint found
        self.see(key, &look)
        look.now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        seize(s)
        i = locate(s, &look)
        if i == ERROR:
            let_go(s)
            raise_again()
        found = i != NONE and look.now < s.valid_until and not is_dead(s, at(s, i), look.now)
        if found:
            value = <object> at(s, i).value
            if s.fresh_at:
                fresh = wide(at(s, i), s.fresh_at)[0]
                end = wide(at(s, i), s.stale_at if s.stale_at else s.fresh_at)[0]
        let_go(s)
        return (value, moment(fresh), moment(end)) if found else None

    def items(self):
        return [(key, value) for key, value, _, _ in self.dump()]

    def dump(self):
        cdef Store* s = &self.store
        cdef int64_t now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        cdef uint32_t width = s.width
        cdef uint32_t i
        cdef size_t many = 0, k, size = width + 3
        cdef PyObject** copies
        cdef int64_t until
        cdef list found = []
        seize(s)
        copies = <PyObject**> malloc((<size_t> s.used + 1) * size * sizeof(void*))
        if copies != NULL and s.used:
            i = warmer_than(s, 0)
            while i != 0:
                if is_fresh(s, at(s, i), now):
                    copies[many] = <PyObject*> <size_t> (
                        wide(at(s, i), s.fresh_at)[0] if s.fresh_at else INT64_MAX
                    )
                    copies[many + 1] = <PyObject*> <size_t> (
                        wide(at(s, i), s.weight_at)[0] if s.weight_at else 1
                    )
                    copies[many + 2] = at(s, i).value
                    memcpy(copies + many + 3, key_of(at(s, i)), width * sizeof(void*))
                    for k in range(many + 2, many + size):
                        tc_own(copies[k])
                    many += size
                i = warmer_than(s, i)
        let_go(s)
        if copies == NULL:
            raise MemoryError
        try:
            for k in range(0, many, size):
                key = self.show(copies + k + 3, THE_MARK)
                if key is not THE_MARK:
                    until = <int64_t> <size_t> copies[k]
                    found.append((
                        key, <object> copies[k + 2],
                        None if until == INT64_MAX else until - now,
                        <int64_t> <size_t> copies[k + 1],
                    ))
        finally:
            for k in range(0, many, size):
                for i in range(2, size):
                    tc_drop(copies[k + i])
            free(copies)
        return found

    cdef object show(self, PyObject** stored, gone):
        """A stored key as Python sees it. If its owner is gone: None in its place, or a mark."""
        cdef Store* s = &self.store
        cdef list items
        cdef uint32_t j
        cdef PyObject* instance
        if not s.packed:
            items = [<object> stored[j] for j in range(s.width)]
        elif PyTuple_CheckExact(stored[0]):
            items = list(<tuple> stored[0])
        else:
            return <object> stored[0]
        if s.weak:
            instance = tc_strong(<PyObject*> items[0])
            if instance == NULL:
                if gone is not None:
                    return gone
                items[0] = None
            else:
                items[0] = <object> instance
                tc_drop(instance)
        return tuple(items)

    cdef int see(self, object key, Look* look) except -1:
        """Fills `look` for a key given as a Python object, which has to outlive it."""
        self.check(key)
        view(&self.store, key, look)
        return -1 if hash_items(&self.store, look, False) < 0 else 0

    cdef int check(self, object key) except -1:
        cdef Store* s = &self.store
        if self.exact >= 0 and (type(key) is not tuple or len(<tuple> key) != self.exact):
            raise TypeError(f"a key of this table is a tuple of {self.exact} objects")
        if s.weak and (type(key) is not tuple or not key):
            raise TypeError("a key of this table is a tuple that begins with an instance")
        return 0

    # -- change -------------------------------------------------------------------------------------

    def put(self, key, value, ttl=0, *, weight=1):
        cdef Look look
        self.see(key, &look)
        self.ground(look.hash, False)
        write(self, &look, <PyObject*> value, lasts_for(self, ttl), as_int64(weight), True, UINT64_MAX,
              NULL, NULL)

    def depart(self, key):
        cdef Look look
        cdef Flight flight = Flight.__new__(Flight)
        self.see(key, &look)
        flight.table = self
        flight.key = key
        tc_acquire(&self.store.lock)
        take_off(&self.store, &flight.link, look.hash)
        flight.flying = True
        tc_release(&self.store.lock)
        return flight

    def land(self, Flight flight not None, value, ttl=0, *, weight=1, bint replace=False):
        cdef Look look
        if flight.table is not self:
            raise ValueError("this flight is of another table")
        try:
            view(&self.store, flight.key, &look)
            look.hash = flight.link.hash
            return bool(write(self, &look, <PyObject*> value, lasts_for(self, ttl), as_int64(weight),
                              replace, UINT64_MAX, &flight.link, NULL))
        finally:
            flight.end()

    def land_until(self, Flight flight not None, value, fresh, end, *, weight=1, bint replace=False):
        cdef Look look
        cdef Until until
        if flight.table is not self:
            raise ValueError("this flight is of another table")
        try:
            if self.stale is None:
                raise ValueError(
                    "a table without stale= has no room for the end of what is stale"
                )
            until.end = INT64_MAX if end is None else as_int64(end)
            until.fresh = min(until.end, INT64_MAX if fresh is None else as_int64(fresh))
            view(&self.store, flight.key, &look)
            look.hash = flight.link.hash
            return bool(write(self, &look, <PyObject*> value, 0, as_int64(weight),
                              replace, UINT64_MAX, &flight.link, &until))
        finally:
            flight.end()

    def abandon(self, Flight flight not None):
        flight.end()

    def discard(self, key):
        cdef Look look
        cdef Store* s = &self.store
        self.see(key, &look)
        self.ground(look.hash, False)
        look.now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        seize(s)
        i = locate(s, &look)
        if i == ERROR:
            let_go(s)
            raise_again()
        if i == NONE:
            let_go(s)
            return False
        if is_dead(s, at(s, i), look.now):
            self.drop_entry(i, EXPIRED)
            return False
        self.drop_entry(i, EXPLICIT)
        return True

    def clear(self):
        self.empty(EXPLICIT)

    def close(self):
        self.empty(CLOSED)

    def resize(self, maxsize, *, max_weight=UNCHANGED):
        cdef int64_t now = self.read_clock() if self.store.detour & WATCHFUL else UNREAD
        if max_weight is UNCHANGED:
            max_weight = self.heaviest_given
        elif max_weight is not None and not self.store.weight_at:
            raise ValueError("a table that keeps no weights can't be bounded by weight")
        self.ground(0, True)
        self.bound(maxsize, max_weight)
        self.look_where()
        self.let_some_go(now, -1)

    def shed(self, many):
        cdef int64_t now = self.read_clock() if self.store.detour & WATCHFUL else UNREAD
        return self.let_some_go(now, max(as_int64(many), 0))

    cdef int64_t let_some_go(self, int64_t now, int64_t many):
        """Removes so many entries in the policy's order; with -1, as many as are out of bounds."""
        cdef Store* s = &self.store
        cdef Spoils spoils
        cdef uint32_t i
        cdef int64_t found = 0
        cdef PyObject** first = <PyObject**> tc_alloca((s.width + 2) * sizeof(void*))
        cdef bint more = True
        while more:
            no_spoils(&spoils, s.width + 2, first)
            seize(s)
            while spoils.n < CROWD:
                more = s.used > 0 and (self.is_full(0, 0) if many < 0 else found < many)
                i = victim_of(s) if more else 0
                more = i != 0 and self.uproot(i, self.cause_to_leave(i, now), &spoils)
                if not more:
                    break
                found += 1
            let_go(s)
            settle(self, &spoils)
        return found

    def sweep(self):
        cdef Store* s = &self.store
        cdef int64_t now, found = 0
        cdef int moves = 0x7FFFFFFF
        cdef uint32_t i, last, after
        cdef Spoils spoils
        cdef PyObject** first = <PyObject**> tc_alloca((s.width + 2) * sizeof(void*))
        if not s.timer_at:
            return 0
        now = self.read_clock()
        i = 1
        while i and now < s.valid_until:
            no_spoils(&spoils, s.width + 2, first)
            seize(s)
            while spoils.n < CROWD:
                moves = 0x7FFFFFFF
                i = next_dead(s, now, &moves)
                if i == 0 or not self.uproot(i, EXPIRED, &spoils):
                    break
                found += 1
            if i == 0 and s.wheel != NULL:      # the tick that is running
                hand_down(s, &moves)
                i = s.wheel.first[s.wheel.tick & 63]
                while i:
                    after = timer_of(s, i).after
                    last = s.used
                    if now >= end_of(s, at(s, i)):
                        if not self.uproot(i, EXPIRED, &spoils):
                            break
                        found += 1
                        if after == last:
                            after = i
                    i = after
            let_go(s)
            settle(self, &spoils)
        return found

    cdef void reclaim(self, int64_t now, Spoils* spoils) noexcept:
        """What every write does for the dead: lets a few leave, the oldest first."""
        cdef Store* s = &self.store
        cdef int moves = HANDED_DOWN
        cdef int few = 16
        cdef uint32_t i
        while few and now < s.valid_until and is_turning(s, now):
            i = next_dead(s, now, &moves)
            if i == 0 or not self.uproot(i, EXPIRED, spoils):
                return
            few -= 1

    cdef bint is_full(self, uint32_t entries, int64_t weight) noexcept:
        """Whether so many more, of that weight in all, are too much."""
        cdef Store* s = &self.store
        return (self.limit >= 0 and <int64_t> s.used + entries > self.limit) or (
            self.heaviest >= 0 and s.weight + weight > self.heaviest
        )

    cdef int cause_to_leave(self, uint32_t i, int64_t now) noexcept:
        """Why the policy's victim leaves: it may be dead already."""
        cdef Store* s = &self.store
        if s.weak and tc_is_gone(self.owner_at(i)):
            return COLLECTED
        return EXPIRED if is_dead(s, at(s, i), now) else SIZE

    cdef void ground(self, uint64_t hash, bint all) noexcept:
        tc_acquire(&self.store.lock)
        ground(&self.store, hash, all)
        tc_release(&self.store.lock)

    cdef void tally(self, int cause) noexcept:
        cdef Store* s = &self.store
        if cause == SIZE:
            s.evictions += 1
        elif cause == EXPIRED:
            s.expirations += 1
        elif cause == EXPLICIT:
            s.removals += 1
        elif cause == COLLECTED:
            s.collected += 1

    cdef bint uproot(self, uint32_t i, int cause, Spoils* spoils) noexcept:
        """Removes entry i and counts it; what it refers to goes to the spoils. False: no memory."""
        cdef Store* s = &self.store
        cdef uint32_t last = s.used
        cdef PyObject** record = one_more(spoils, cause)
        if record == NULL:
            return False
        self.tally(cause)
        self.unchain(i)
        take_out(s, i, record)
        close_gap(s, i)
        if s.weak and i != last:
            self.rechain(i)
        return True

    cdef void drop_entry(self, uint32_t i, int cause) noexcept:
        """Removes entry i; comes with the Store seized, and lets it go."""
        cdef Store* s = &self.store
        cdef Spoils spoils
        no_spoils(&spoils, s.width + 2, <PyObject**> tc_alloca((s.width + 2) * sizeof(void*)))
        self.uproot(i, cause, &spoils)
        let_go(s)
        settle(self, &spoils)

    cdef tuple pack(self, Look* look, Owner owner):
        cdef tuple packed = PyTuple_New(look.n)
        cdef Py_ssize_t j
        for j in range(look.n):
            item = owner if j == 0 and owner is not None else <object> look.items[j]
            Py_INCREF(item)
            PyTuple_SET_ITEM(packed, j, item)
        return packed

    # -- objects held weakly ------------------------------------------------------------------------

    cdef Owner adopt(self, object instance):
        """The owner record of an object; TypeError if it can't be referenced weakly."""
        cdef object ident = <size_t> <PyObject*> instance
        cdef Owner owner
        cdef PyObject* found
        tc_acquire(&self.store.lock)
        found = PyDict_GetItemWithError(<PyObject*> self.owners, ident)
        owner = <Owner> found if found != NULL else None
        tc_release(&self.store.lock)
        if owner is not None:
            if tc_referent(<PyObject*> owner) == <PyObject*> instance:
                return owner
            self.disown(owner)      # unheard of: the collector clears references it finds in trash
        owner = Owner(instance, owner_died)
        owner.table = self
        owner.ident = ident
        tc_acquire(&self.store.lock)
        self.enlist(owner)
        tc_release(&self.store.lock)
        return owner

    cdef void enlist(self, Owner owner) noexcept:
        """Makes an owner the one that is found by its object's address; comes with the lock.

        Out of memory it is not found, and works nevertheless.
        """
        cdef object ident = owner.ident
        cdef PyObject* found = PyDict_GetItemWithError(<PyObject*> self.owners, ident)
        if found != NULL:
            if tc_referent(found) == tc_referent(<PyObject*> owner):
                return              # another thread's
            (<Owner> found).listed = False
        self.owners[ident] = owner
        owner.listed = True

    cdef void unlist(self, Owner owner) noexcept:
        if owner.listed:
            owner.listed = False
            del self.owners[owner.ident]

    cdef PyObject* owner_at(self, uint32_t i) noexcept:
        """The owner of entry i, borrowed."""
        cdef PyObject* first = key_of(at(&self.store, i))[0]
        return PyTuple_GET_ITEM(first, 0) if self.store.packed else first

    cdef void chain(self, Owner owner, uint32_t i) noexcept:
        """Puts entry i at the head of its owner's chain: previous and next entry's number."""
        cdef Store* s = &self.store
        cdef uint32_t* links = narrow(at(s, i), s.chain_at)
        links[0] = 0
        links[1] = owner.head
        if owner.head:
            narrow(at(s, owner.head), s.chain_at)[0] = i
        owner.head = i

    cdef void unchain(self, uint32_t i) noexcept:
        cdef Store* s = &self.store
        cdef uint32_t* links
        cdef Owner owner
        if not s.weak:
            return
        links = narrow(at(s, i), s.chain_at)
        if links[1]:
            narrow(at(s, links[1]), s.chain_at)[0] = links[0]
        if links[0]:
            narrow(at(s, links[0]), s.chain_at)[1] = links[1]
            return
        owner = <Owner> self.owner_at(i)
        owner.head = links[1]
        if owner.head == 0:
            self.unlist(owner)

    cdef void rechain(self, uint32_t i) noexcept:
        """Mends the chain after an entry has moved to i."""
        cdef Store* s = &self.store
        cdef uint32_t* links = narrow(at(s, i), s.chain_at)
        if links[1]:
            narrow(at(s, links[1]), s.chain_at)[0] = i
        if links[0]:
            narrow(at(s, links[0]), s.chain_at)[1] = i
        else:
            (<Owner> self.owner_at(i)).head = i

    cdef void disown(self, Owner owner) noexcept:
        cdef Store* s = &self.store
        while True:
            seize(s)
            if owner.head == 0:
                self.unlist(owner)
                let_go(s)
                return
            self.drop_entry(owner.head, COLLECTED)


cdef PyObject* take_aside "tc_take_otherwise"(
    void* store, void* inside, void* entry, uint32_t i, int64_t now
) noexcept:
    """`take` for any policy, and with a time to idle."""
    cdef Store* s = <Store*> store
    cdef Reader* reader = <Reader*> inside
    cdef Entry* e = <Entry*> entry
    cdef PyObject* value = e.value
    cdef int on_hit = s.on_hit
    cdef bint must
    tc_own(value)
    reader.hits += 1
    if on_hit & IDLES:
        tc_store_wide(wide(e, s.idle_at), later(now, s.idle_for))
        on_hit &= ~IDLES
    if on_hit == COUNT:
        count_use(s, e)
    elif on_hit == MOVE:
        move_first(s.chunks, s.stride, e, i)
    elif on_hit == NOTE:
        if tc_likely(reader.noted < NOTES):
            reader.notes[reader.noted] = i
            reader.noted += 1
        if tc_unlikely(reader.noted % BUNDLE == 0):
            must = reader.noted == NOTES
            leave(reader)
            settle_notes(s, reader, must)
            return value
    leave(reader)
    return value


cdef void deliver "tc_hand_over"(void* store, void* from_reader) noexcept:
    """Tells the policy of the hits that a Reader noted, in their order."""
    cdef Store* s = <Store*> store
    cdef Reader* reader = <Reader*> from_reader
    cdef uint32_t k, noted = reader.noted
    reader.noted = 0
    if s.policy.used != NULL:
        for k in range(noted):
            s.policy.used(s, reader.notes[k])
    else:
        for k in range(noted):
            to_front(s, reader.notes[k])


cdef int table_traverse(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef Store* s = &(<Table> self).store
    cdef uint32_t i, j
    cdef int found = base_of_table(self, visit, arg)
    if found or s.collectable == 0:
        return found
    for i in range(1, s.used + 1):
        found = tc_visit(at(s, i).value, visit, arg)
        for j in range(s.width):
            if found:
                return found
            found = tc_visit(key_of(at(s, i))[j], visit, arg)
        if found:
            return found
    return 0


cdef int table_clear(PyObject* self) noexcept:
    (<Table> self).empty(-1)        # the attributes stay, for whoever still calls
    return 0
