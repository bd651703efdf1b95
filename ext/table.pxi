# Table: what Python sees of a store, and what keeps its objects alive.
#
# Longer than 400 lines because an extension type is one class statement: the questions, the
# look-ups, the changes, and the chains that lead from an object held weakly to its entries.

@cython.final
@cython.no_gc_clear
cdef class Table:
    """A bounded store of entries in order of use. See `_core_py.Table`."""

    cdef Store store
    cdef object __weakref__
    cdef object bounded             # maxsize as it was given
    cdef readonly object width
    cdef readonly object ttl
    cdef readonly object stale
    cdef readonly object clock
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
        width=None,
        ttl=None,
        stale=None,
        bint timed=False,
        bint weak=False,
        bint weighted=False,
        bint generational=False,
        clock=None,
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
        self.clock = clock
        if weak:
            self.owners = {}
        self.fresh_for = INT64_MAX if ttl is None else nanoseconds(ttl)
        self.stale_for = 0 if stale is None else nanoseconds(stale)
        timed = timed or ttl is not None or stale is not None
        s.packed = self.exact < 0 or self.exact > WIDEST
        s.weak = weak
        lay_out(s, 1 if s.packed else self.exact, timed, stale is not None, weighted, generational,
                weak)
        self.bound(maxsize)
        self.look_where()

    cdef int bound(self, maxsize) except -1:
        cdef int64_t limit = -1 if maxsize is None else max(min(maxsize, 0x7FFFFFFF), 0)
        tc_acquire(&self.store.lock)
        maxsize, self.bounded = self.bounded, maxsize       # what it was is dropped at the end
        self.limit = limit
        self.store.ordered = limit >= 0
        tc_release(&self.store.lock)
        return 0

    cdef void look_where(self) noexcept:
        """Decides what a hit has to look at."""
        cdef Store* s = &self.store
        s.detour = 0
        if s.fresh_at or s.generation_at or s.valid_until != INT64_MAX:
            s.detour = WATCHFUL if self.clock is None else WATCHFUL | OFF
        if self.bypass_depth or self.limit == 0:
            s.detour |= OFF

    def __dealloc__(self):
        self.empty(False)
        free_flights(&self.store)

    cdef void empty(self, bint anew) noexcept:
        """Frees everything; what entries refer to is dropped when the table is already empty.

        `anew` also sets the counters to zero and grounds all flights.
        """
        cdef Store* s = &self.store
        cdef Store gone
        cdef uint32_t i, j
        cdef Entry* e
        cdef Py_ssize_t place = 0
        cdef PyObject* owner
        cdef dict owners = {} if s.weak else None   # here: an allocation may run the collector
        tc_acquire(&s.lock)
        if anew:
            ground(s, 0, True)
            s.hits = s.misses = s.stores = s.evictions = 0
            s.expirations = s.removals = s.collected = s.bypasses = 0
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
        s.changes += 1
        tc_release(&s.lock)
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
        self.store.valid_until = INT64_MAX if deadline is None else nanoseconds(deadline)
        self.look_where()

    cdef int64_t read_clock(self) except? -1:
        return tc_now() if self.clock is None else self.clock()

    def now(self):
        return self.read_clock()

    def counters(self):
        cdef Store* s = &self.store
        cdef uint64_t hits, misses, stores, evictions, expirations, removals, collected, bypasses
        tc_acquire(&s.lock)
        hits, misses, stores, evictions = s.hits, s.misses, s.stores, s.evictions
        expirations, removals, collected = s.expirations, s.removals, s.collected
        bypasses = s.bypasses
        tc_release(&s.lock)
        return hits, misses, stores, evictions, expirations, removals, collected, bypasses

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
        tc_acquire(&s.lock)
        i = locate(s, &look)
        if i == ERROR:
            tc_release(&s.lock)
            raise_again()
        if i != NONE and is_fresh(s, at(s, i), look.now):
            s.hits += 1
            value = <object> at(s, i).value
            touch(s, at(s, i), i)
        else:
            s.misses += 1
            if i != NONE and is_dead(s, at(s, i), look.now):
                self.drop_entry(i, &s.expirations)
                return default
        tc_release(&s.lock)
        return value

    def peek(self, key, default=None, *, bint stale=False):
        cdef Look look
        cdef object value = default
        cdef Store* s = &self.store
        self.see(key, &look)
        look.now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        tc_acquire(&s.lock)
        i = locate(s, &look)
        if i == ERROR:
            tc_release(&s.lock)
            raise_again()
        if i != NONE and (
            is_fresh(s, at(s, i), look.now)
            or (stale and look.now < s.valid_until and not is_dead(s, at(s, i), look.now))
        ):
            value = <object> at(s, i).value
        tc_release(&s.lock)
        return value

    def items(self):
        cdef Store* s = &self.store
        cdef int64_t now = self.read_clock() if s.detour & WATCHFUL else UNREAD
        cdef uint32_t width = s.width
        cdef uint32_t i, j
        cdef size_t many = 0, k
        cdef PyObject** spoils
        cdef list found = []
        tc_acquire(&s.lock)
        spoils = <PyObject**> malloc((<size_t> s.used + 1) * (width + 1) * sizeof(void*))
        if spoils != NULL and s.used:
            i = at(s, 0).prev
            while i != 0:
                if is_fresh(s, at(s, i), now):
                    spoils[many] = at(s, i).value
                    memcpy(spoils + many + 1, key_of(at(s, i)), width * sizeof(void*))
                    for k in range(many, many + width + 1):
                        tc_own(spoils[k])
                    many += width + 1
                i = at(s, i).prev
        tc_release(&s.lock)
        if spoils == NULL:
            raise MemoryError
        try:
            for k in range(0, many, width + 1):
                key = self.show(spoils + k + 1)
                if key is not MARK:
                    found.append((key, <object> spoils[k]))
        finally:
            for k in range(many):
                tc_drop(spoils[k])
            free(spoils)
        return found

    cdef object show(self, PyObject** stored):
        """A stored key as Python sees it; MARK if its owner is gone."""
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
                return MARK
            items[0] = <object> instance
            tc_drop(instance)
        return tuple(items)

    cdef int see(self, object key, Look* look) except -1:
        """Fills `look` for a key given as a Python object, which has to outlive it."""
        self.check(key)
        view(&self.store, key, look)
        return -1 if hash_items(&self.store, look) < 0 else 0

    cdef int check(self, object key) except -1:
        cdef Store* s = &self.store
        if self.exact >= 0 and (type(key) is not tuple or len(<tuple> key) != self.exact):
            raise TypeError(f"a key of this table is a tuple of {self.exact} objects")
        if s.weak and (type(key) is not tuple or not key):
            raise TypeError("a key of this table is a tuple that begins with an instance")
        return 0

    # -- change -------------------------------------------------------------------------------------

    def put(self, key, value, ttl=0, *, int64_t weight=1):
        cdef Look look
        self.see(key, &look)
        self.ground(look.hash, False)
        write(self, &look, <PyObject*> value, lasts_for(self, ttl), weight, True, UINT64_MAX,
              NULL)

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

    def land(self, Flight flight not None, value, ttl=0, *, int64_t weight=1, bint replace=False):
        cdef Look look
        if flight.table is not self:
            raise ValueError("this flight is of another table")
        try:
            view(&self.store, flight.key, &look)
            look.hash = flight.link.hash
            return bool(write(self, &look, <PyObject*> value, lasts_for(self, ttl), weight,
                              replace, UINT64_MAX, &flight.link))
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
        tc_acquire(&s.lock)
        i = locate(s, &look)
        if i == ERROR:
            tc_release(&s.lock)
            raise_again()
        if i != NONE and is_fresh(s, at(s, i), look.now):
            self.drop_entry(i, &s.removals)
            return True
        if i != NONE and is_dead(s, at(s, i), look.now):
            self.drop_entry(i, &s.expirations)
        else:
            tc_release(&s.lock)
        return False

    def clear(self):
        self.empty(True)

    def resize(self, maxsize):
        cdef Store* s = &self.store
        self.ground(0, True)
        self.bound(maxsize)
        self.look_where()
        while True:
            tc_acquire(&s.lock)
            if self.limit < 0 or s.used <= self.limit:
                tc_release(&s.lock)
                return
            self.drop_entry(at(s, 0).prev, &s.evictions)

    cdef void ground(self, uint64_t hash, bint all) noexcept:
        tc_acquire(&self.store.lock)
        ground(&self.store, hash, all)
        tc_release(&self.store.lock)

    cdef void drop_entry(self, uint32_t i, uint64_t* counter) noexcept:
        """Removes entry i and counts it; comes with the lock, goes without it."""
        cdef Store* s = &self.store
        cdef uint32_t j, last = s.used
        cdef PyObject** spoils = <PyObject**> tc_alloca((s.width + 1) * sizeof(void*))
        counter[0] += 1
        self.unchain(i)
        take_out(s, i, spoils)
        close_gap(s, i)
        if s.weak and i != last:
            self.rechain(i)
        tc_release(&s.lock)
        for j in range(s.width + 1):
            tc_drop(spoils[j])

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
            tc_acquire(&s.lock)
            if owner.head == 0:
                self.unlist(owner)
                tc_release(&s.lock)
                return
            self.drop_entry(owner.head, &s.collected)


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
    (<Table> self).empty(False)     # the attributes stay, for whoever still calls
    return 0
