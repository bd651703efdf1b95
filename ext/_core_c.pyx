# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, binding=False, auto_pickle=False, freethreading_compatible=True
"""The compiled core: a translation of `_core_py.py`, which says what everything means.

How it is laid out. `store.pxd` is the memory of a table (entries, index, order) and knows no
Python. `keys.pxd` hashes keys and finds them, which may run the keys' own `__eq__`. This file
holds the objects: Table, Gate, and the small ones around them. `gate.h` has every trick on the
C API. The file is one room longer than 400 lines because Cython keeps the struct of an extension
type in one module, and a Gate reads its Table's Store without a call.

What holds everywhere.

- A hit is an entry point `call_…` → `hit_at_once`: no allocation, no Python frame, no clock unless the
  table is WATCHFUL.
- Python code (`__eq__`, `__hash__`, `__del__`, clocks, hooks, the collector) may run only where
  the Store is consistent and its lock free. References that leave an entry are collected in
  `spoils` and dropped last. After anything that can call back, `changes` tells whether what was
  found still stands.
- Pointers in a Store own what they point at; pointers in a GateCore are borrowed from the Gate's
  own attributes.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject, visitproc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport INT64_MAX, UINT64_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from gate cimport *
from keys cimport *
from store cimport *

from types import MethodType

cdef extern from "Python.h":
    PyObject* PyObject_Vectorcall(PyObject*, PyObject**, size_t, PyObject*) noexcept
    object PyVectorcall_Call(object, tuple, dict)
    Py_ssize_t PyVectorcall_NARGS(size_t) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t) noexcept
    PyTypeObject* Py_TYPE(PyObject*) noexcept
    PyObject* PyErr_Occurred() noexcept
    const Py_ssize_t PY_SSIZE_T_MAX
    bint PyErr_ExceptionMatches(object) noexcept
    int PyUnicode_Compare(PyObject*, PyObject*) noexcept
    int Py_EnterRecursiveCall(const char*) noexcept
    void Py_LeaveRecursiveCall() noexcept

cdef extern from *:
    ctypedef class _weakref.ReferenceType [object PyWeakReference, check_size ignore]:
        pass

ABI = 1


class _Mark:
    __slots__ = ()

    def __repr__(self):
        return "**"


cdef object MARK = _Mark()

cdef extern from *:
    """
    static void tc_reused(void)
    { PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine"); }
    static int tc_again(void) { return -1; }
    """
    void set_reused "tc_reused"() noexcept
    int raise_again "tc_again"() except -1      # lets an exception that is set go on


# -- Table -------------------------------------------------------------------------------------------

@cython.final
@cython.no_gc_clear
cdef class Owner(ReferenceType):
    """The object whose method was called, held weakly; head of the chain of its entries."""

    cdef Table table
    cdef size_t ident
    cdef uint32_t head


def _owner_died(Owner owner not None):
    """Called by the interpreter when an owner's object dies, in any thread, also in a collection."""
    owner.table.disown(owner)


@cython.final
@cython.no_gc_clear
cdef class Voyage:
    """A flight that outlives a C call: for coroutines and `refresh`."""

    cdef Flight flight
    cdef Table table
    cdef object key
    cdef bint landed

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        if not self.landed:
            self.landed = True
            tc_acquire(&self.table.store.lock)
            touch_down(&self.table.store, &self.flight)
            tc_release(&self.table.store.lock)

    @property
    def grounded(self):
        return bool(self.flight.grounded)


@cython.final
@cython.no_gc_clear
cdef class Table:
    """A bounded store of entries in order of use. See `_core_py.Table`."""

    cdef Store store
    cdef object __weakref__
    cdef readonly object maxsize
    cdef readonly object width
    cdef readonly object ttl
    cdef readonly object stale
    cdef readonly object clock
    cdef dict owners                # address of an object → its Owner, in a weak table
    cdef int64_t limit              # maxsize; -1 is unbounded
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
        self.width = width
        self.ttl = ttl
        self.stale = stale
        self.clock = clock
        if weak:
            self.owners = {}
        self.fresh_for = INT64_MAX if ttl is None else ttl
        self.stale_for = 0 if stale is None else stale
        timed = timed or ttl is not None or stale is not None
        s.packed = width is None
        s.weak = weak
        lay_out(s, 1 if width is None else width, timed, stale is not None, weighted, generational,
                weak)
        self.bound(maxsize)
        self.look_where()

    cdef int bound(self, maxsize) except -1:
        self.limit = -1 if maxsize is None else min(maxsize, 0x7FFFFFFF)
        self.maxsize = maxsize
        self.store.ordered = maxsize is not None
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
        self.empty()

    cdef void empty(self) noexcept:
        """Frees everything; what entries refer to is dropped when the table is already empty."""
        cdef Store* s = &self.store
        cdef Store gone
        cdef uint32_t i, j
        cdef Entry* e
        tc_acquire(&s.lock)
        memcpy(&gone, s, sizeof(Store))
        if s.weak:
            owners = self.owners
            self.owners = {}
            for owner in owners.values():
                (<Owner> owner).head = 0
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
        self.store.valid_until = INT64_MAX if deadline is None else deadline
        self.look_where()

    cdef int64_t read_clock(self) except? -1:
        return tc_now() if self.clock is None else self.clock()

    def now(self):
        return self.read_clock()

    def counters(self):
        cdef Store* s = &self.store
        return (s.hits, s.misses, s.stores, s.evictions, s.expirations, s.removals, s.collected,
                s.bypasses)

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
                if key is not None:
                    found.append((key, <object> spoils[k]))
        finally:
            for k in range(many):
                tc_drop(spoils[k])
            free(spoils)
        return found

    cdef object show(self, PyObject** stored):
        """A stored key as Python sees it; None if its owner is gone."""
        cdef Store* s = &self.store
        cdef list items
        cdef uint32_t j
        cdef PyObject* instance
        if not s.packed:
            items = [<object> stored[j] for j in range(s.width)]
        elif isinstance(<object> stored[0], tuple):
            items = list(<tuple> stored[0])
        else:
            return <object> stored[0]
        if s.weak:
            instance = tc_strong(<PyObject*> items[0])
            if instance == NULL:
                return None
            items[0] = <object> instance
            tc_drop(instance)
        return tuple(items)

    cdef int see(self, object key, Look* look) except -1:
        """Fills `look` for a key given as a Python object, which has to outlive it."""
        cdef Store* s = &self.store
        if not s.packed and (type(key) is not tuple or len(<tuple> key) != s.width):
            raise TypeError(f"a key of this table is a tuple of {s.width} objects")
        if s.weak and (type(key) is not tuple or not key):
            raise TypeError("a key of this table is a tuple that begins with an instance")
        view(s, key, look)
        return -1 if hash_items(s, look) < 0 else 0

    # -- change -------------------------------------------------------------------------------------

    def put(self, key, value, ttl=0, *, int64_t weight=1):
        cdef Look look
        self.see(key, &look)
        self.ground(look.hash, False)
        write(self, &look, <PyObject*> value, lasts_for(self, ttl), weight, True, UINT64_MAX)

    def depart(self, key):
        cdef Look look
        cdef Voyage voyage = Voyage.__new__(Voyage)
        voyage.landed = True
        self.see(key, &look)
        voyage.table = self
        voyage.key = key
        voyage.landed = False
        tc_acquire(&self.store.lock)
        take_off(&self.store, &voyage.flight, look.hash)
        tc_release(&self.store.lock)
        return voyage

    def land(self, Voyage voyage not None, value, ttl=0, *, int64_t weight=1, bint replace=False):
        cdef Look look
        voyage.end()
        if voyage.flight.grounded:
            return False
        view(&self.store, voyage.key, &look)
        look.hash = voyage.flight.hash
        return bool(write(self, &look, <PyObject*> value, lasts_for(self, ttl), weight, replace,
                          UINT64_MAX))

    def abandon(self, Voyage voyage not None):
        voyage.end()

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
        cdef Store* s = &self.store
        self.ground(0, True)
        s.hits = s.misses = s.stores = s.evictions = 0
        s.expirations = s.removals = s.collected = s.bypasses = 0
        self.empty()

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
        cdef size_t ident = <size_t> <PyObject*> instance
        owner = self.owners.get(ident)
        if owner is None or tc_referent(<PyObject*> owner) != <PyObject*> instance:
            owner = Owner(instance, _owner_died)
            (<Owner> owner).table = self
            (<Owner> owner).ident = ident
            self.owners[ident] = owner
        return <Owner> owner

    cdef Owner owner_at(self, uint32_t i):
        cdef PyObject* first = key_of(at(&self.store, i))[0]
        return <Owner> PyTuple_GET_ITEM(first, 0) if self.store.packed else <Owner> first

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
        owner = self.owner_at(i)
        owner.head = links[1]
        if owner.head == 0 and self.owners.get(owner.ident) is owner:
            del self.owners[owner.ident]

    cdef void rechain(self, uint32_t i) noexcept:
        """Mends the chain after an entry has moved to i."""
        cdef Store* s = &self.store
        cdef uint32_t* links = narrow(at(s, i), s.chain_at)
        if links[1]:
            narrow(at(s, links[1]), s.chain_at)[0] = i
        if links[0]:
            narrow(at(s, links[0]), s.chain_at)[1] = i
        else:
            self.owner_at(i).head = i

    cdef int disown(self, Owner owner) except -1:
        cdef Store* s = &self.store
        while True:
            tc_acquire(&s.lock)
            if owner.head == 0:
                if self.owners.get(owner.ident) is owner:
                    del self.owners[owner.ident]
                tc_release(&s.lock)
                return 0
            self.drop_entry(owner.head, &s.collected)


cdef int64_t lasts_for(Table table, ttl) except? -1:
    """Nanoseconds an entry lasts, from a `ttl` argument; INT64_MAX is for ever."""
    if ttl is None:
        return INT64_MAX
    return ttl if ttl else table.fresh_for


cdef int write(
    Table self,
    Look* look,
    PyObject* value,
    int64_t lasts,
    int64_t weight,
    bint replace,
    uint64_t absent,
) except -1:
    """Stores a value; 1 if it did, 0 if a fresh one was there.

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
        if i == NONE:
            break
        if i == ERROR:
            tc_release(&s.lock)
            raise_again()
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
        if not make_room(s) or not tend_index(s):
            tc_release(&s.lock)
            raise MemoryError
        s.used += 1
        s.changes += 1
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
    """The sum, at most INT64_MAX, which is for ever."""
    return INT64_MAX if lasts == INT64_MAX or (now > 0 and lasts > INT64_MAX - now) else now + lasts


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


cdef int table_traverse(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef Store* s = &(<Table> self).store
    cdef uint32_t i, j
    cdef int found = tc_base_traverse(self, visit, arg)
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
    (<Table> self).empty()      # the attributes stay, for whoever still calls
    return 0


# -- awaiting a value that is there ------------------------------------------------------------------

@cython.final
@cython.no_gc
@cython.freelist(32)
cdef class Ready:
    """What a hit of a coroutine function gives to await: passes wherever a coroutine does."""

    cdef object value
    cdef bint awaited

    def __dealloc__(self):
        tc_forget_stop()

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, _):
        """Raises StopIteration with the value, as a coroutine that returns at once."""
        if ready_next(<PyObject*> self) == NULL:
            raise_again()

    def throw(self, kind, value=None, traceback=None):
        """Raises what is thrown, as a coroutine that hasn't begun."""
        self.awaited = True
        self.value = None
        if value is None:
            raise kind
        raise value if isinstance(value, BaseException) else kind(value)

    def close(self):
        """Does away with the value."""
        self.awaited = True
        self.value = None


cdef PyObject* ready_next(PyObject* self) noexcept:
    cdef Ready ready = <Ready> self
    if ready.awaited:
        set_reused()
        return NULL
    ready.awaited = True
    tc_raise_stop(<PyObject*> ready.value)
    return NULL


cdef PySendResult ready_send(PyObject* self, PyObject* _, PyObject** result) noexcept:
    cdef Ready ready = <Ready> self
    if ready.awaited:
        set_reused()
        result[0] = NULL
        return PYGEN_ERROR
    ready.awaited = True
    result[0] = <PyObject*> ready.value
    tc_own(result[0])
    return PYGEN_RETURN


# -- Gate ----------------------------------------------------------------------------------------------

cdef struct Shape:                  # how a call with these names becomes a key
    PyObject* kwnames               # owned, or NULL
    PyObject* constants             # owned tuple
    bint remembered
    bint straight                   # the arguments as they come are the key
    Shape* older                    # of an earlier configuration
    Py_ssize_t nargs
    Py_ssize_t n
    int32_t source[1]

cdef enum:
    SHAPES = 16                     # call shapes a gate remembers
    TYPE_OF = 1 << 30               # source: the type of argument (source - TYPE_OF)

cdef struct GateCore:
    vectorcallfunc call
    Py_ssize_t least                # positional calls with this many arguments …
    size_t span                     # … up to this many more are their own key
    Store* store
    bint plain                      # keys of fixed width, nothing held weakly
    bint lone                       # functools' rule for one int or str
    bint special                    # hits pass a copier or are awaited
    int shapes
    PyObject* function
    Shape* shape[SHAPES]            # `shapes` of them, the others NULL
    Shape* outlived


@cython.no_gc_clear
cdef class Gate:
    """The callable that stands in for a function. See `_core_py.Gate`."""

    cdef GateCore core
    cdef readonly object function
    cdef readonly Table table
    cdef object key, copier, decide, on_miss, on_key_error
    cdef bint typed, awaitable
    cdef object plan
    cdef list outlived              # what earlier configurations owned

    def __cinit__(self, *args, **kwargs):
        self.core.call = <vectorcallfunc> &gate_unready
        self.outlived = []

    def __init__(
        self,
        function,
        Table table not None,
        *,
        plan=None,
        bint typed=False,
        key=None,
        copier=None,
        bint awaitable=False,
        decide=None,
        on_miss=None,
        on_key_error=None,
    ):
        cdef GateCore* core = &self.core
        cdef Py_ssize_t least, most
        # A call in flight may still use what an earlier configuration owned.
        if core.function != NULL:
            self.outlived.append((self.function, self.table, self.key, self.copier, self.decide,
                                  self.on_miss, self.on_key_error))
        self.function = function
        self.table = table
        self.key = key
        self.copier = copier
        self.decide = decide
        self.on_miss = on_miss
        self.on_key_error = on_key_error
        self.typed = typed
        self.awaitable = awaitable
        self.plan = plan
        core.function = <PyObject*> function
        core.store = &table.store
        core.special = copier is not None or awaitable
        core.plain = not table.store.packed and not table.store.weak
        core.lone = plan is None and not typed and key is None
        while core.shapes:
            core.shapes -= 1
            core.shape[core.shapes].older = core.outlived
            core.outlived = core.shape[core.shapes]
            core.shape[core.shapes] = NULL
        # As in the pure core; an empty range is spelled -1.
        core.least, core.span = -1, 0
        if typed or key is not None:
            pass
        elif plan is None:
            core.least, core.span = 0, PY_SSIZE_T_MAX
        else:
            least = plan.least
            most = plan.most
            if least <= most and not (table.store.weak and least == 0):
                core.least, core.span = least, most - least
        core.call = entry_for(core, plan is None)

    def __dealloc__(self):
        cdef Shape* shape
        while self.core.shapes:
            self.core.shapes -= 1
            free_shape(self.core.shape[self.core.shapes])
        while self.core.outlived != NULL:
            shape = self.core.outlived
            self.core.outlived = shape.older
            free_shape(shape)

    def __call__(self, /, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else MethodType(self, instance)

    def bind(self, tuple args not None, dict kwargs not None):
        cdef Py_ssize_t n = len(args), j
        cdef tuple names = tuple(kwargs)
        cdef tuple given = args + tuple(kwargs.values())
        cdef Shape* shape
        cdef PyObject** items
        if self.key is not None:
            return (self.key(*args, **kwargs),)
        if self.plan is None:
            if self.core.lone and n == 1 and not kwargs and type(args[0]) in (int, str):
                return args[0]
            return self.pattern(given, n, names)
        shape = shape_for(self, n, <PyObject*> names if names else NULL)
        if shape == NULL:
            return None
        try:
            items = <PyObject**> tc_alloca((shape.n + 1) * sizeof(void*))
            fill(shape, items_of(<PyObject*> given), items)
            return tuple([<object> items[j] for j in range(shape.n)])
        finally:
            forget_shape(shape)

    cdef tuple pattern(self, tuple given, Py_ssize_t n, tuple names):
        cdef list key = list(given[:n])
        if names:
            key.append(MARK)
            for pair in zip(names, given[n:]):
                key += pair
        if self.typed:
            key += map(type, given)
        return tuple(key)

    def through(self, key, tuple args not None, dict kwargs not None):
        cdef Look look
        cdef Call call
        cdef PyObject* value
        cdef tuple given = args + tuple(kwargs.values())
        cdef tuple names = tuple(kwargs)
        call.args = items_of(<PyObject*> given)
        call.nargsf = len(args)
        call.kwnames = <PyObject*> names if names else NULL
        view(self.core.store, key, &look)
        look.now = self.table.read_clock() if self.core.store.detour & WATCHFUL else UNREAD
        value = hash_and_answer(<PyObject*> self, &self.core, &look, &call)
        if value == NULL:
            raise_again()
        result = <object> value
        tc_drop(value)
        return result


cdef extern from "gate.h":
    Shape* load_shape "tc_load"(Shape**) noexcept
    void publish_shape "tc_publish"(Shape**, Shape*) noexcept


# -- call shapes ---------------------------------------------------------------------------------------

cdef Shape* find_shape(GateCore* core, Py_ssize_t nargs, PyObject* kwnames) noexcept:
    """A remembered shape: by the identity of the names' tuple first, then by the names."""
    cdef int known = tc_load(&core.shapes), i
    cdef Py_ssize_t j, named
    cdef Shape* shape
    for i in range(known):
        shape = core.shape[i]
        if shape.kwnames == kwnames and shape.nargs == nargs:
            return shape
    if kwnames == NULL:
        return NULL
    named = PyTuple_GET_SIZE(kwnames)
    for i in range(known):
        shape = core.shape[i]
        if shape.nargs != nargs or shape.kwnames == NULL:
            continue
        if PyTuple_GET_SIZE(shape.kwnames) != named:
            continue
        for j in range(named):
            if tc_same(PyTuple_GET_ITEM(shape.kwnames, j), PyTuple_GET_ITEM(kwnames, j)) != 1:
                break
        else:
            return shape
    return NULL


cdef Shape* shape_for(Gate gate, Py_ssize_t nargs, PyObject* kwnames) except? NULL:
    """Works out how a call becomes a key; NULL if it doesn't fit the function's signature.

    The gate remembers the first few; `forget_shape` frees the others.
    """
    cdef GateCore* core = &gate.core
    cdef Shape* shape
    cdef list sources = read_shape(gate, nargs, <object> kwnames if kwnames != NULL else ())
    cdef list constants = []
    cdef Py_ssize_t j, n
    if sources is None:
        return NULL
    n = len(sources)
    shape = <Shape*> malloc(sizeof(Shape) + n * sizeof(int32_t))
    if shape == NULL:
        raise MemoryError
    for j in range(n):
        source = sources[j]
        if type(source) is tuple:
            constants.append(source[0])
            shape.source[j] = -len(constants)
        else:
            shape.source[j] = source
    held = tuple(constants)
    tc_own(<PyObject*> held)
    shape.constants = <PyObject*> held
    shape.kwnames = kwnames
    if kwnames != NULL:
        tc_own(kwnames)
    shape.nargs = nargs
    shape.n = n
    shape.straight = sources == list(range(n))
    tc_acquire(&core.store.lock)
    shape.remembered = core.shapes < SHAPES
    if shape.remembered:
        publish_shape(&core.shape[core.shapes], shape)
        tc_publish(&core.shapes, core.shapes + 1)
    tc_release(&core.store.lock)
    return shape


cdef list read_shape(Gate gate, Py_ssize_t nargs, tuple kwnames):
    """Where each object of the key comes from: an argument's number, TYPE_OF one, or (constant,)."""
    plan = gate.plan
    cdef tuple names = plan.names
    cdef Py_ssize_t i, taken = 0, positional = min(nargs, plan.positional)
    cdef list values = [], key
    cdef list extra = []
    if nargs > plan.positional and not plan.varargs:
        return None
    for i in range(len(names)):
        name = names[i]
        if i < positional:
            source = i
        elif i >= plan.positional_only and name in kwnames:
            source = nargs + kwnames.index(name)
            taken += 1
        elif i in plan.defaults:
            source = (plan.defaults[i],)
        else:
            return None
        if i not in plan.ignored:
            values.append(source)
    if taken != len(kwnames):
        known = names[plan.positional_only:]
        extra = sorted([name for name in kwnames if name not in known])
        if taken + len(extra) != len(kwnames) or (extra and not plan.varkw):
            return None
    if plan.keep_args:
        values += range(plan.positional, nargs)
    key = list(values)
    if extra and plan.keep_kwargs:
        key.append((MARK,))
        for name in extra:
            source = nargs + kwnames.index(name)
            key += ((name,), source)
            values.append(source)
    if gate.typed:
        for source in values:
            key.append((type(source[0]),) if type(source) is tuple else source + TYPE_OF)
    return key


cdef inline void fill(Shape* shape, PyObject** args, PyObject** items) noexcept:
    cdef Py_ssize_t j
    cdef int32_t source
    for j in range(shape.n):
        source = shape.source[j]
        if source < 0:
            items[j] = PyTuple_GET_ITEM(shape.constants, -source - 1)
        elif source < TYPE_OF:
            items[j] = args[source]
        else:
            items[j] = <PyObject*> Py_TYPE(args[source - TYPE_OF])


cdef void forget_shape(Shape* shape) noexcept:
    if not shape.remembered:
        free_shape(shape)


cdef void free_shape(Shape* shape) noexcept:
    if shape.kwnames != NULL:
        tc_drop(shape.kwnames)
    tc_drop(shape.constants)
    free(shape)


# -- calls ---------------------------------------------------------------------------------------------
#
# What follows hands exceptions on as the C API does, by NULL: a traceback of the user's function
# shows no lines of ours. Helpers in plain Cython are called as `quietly_…`, through a cast that
# says the same.

cdef struct Call:                   # a call as vectorcall hands it over
    PyObject** args
    size_t nargsf
    PyObject* kwnames

ctypedef Shape* (*quietly_shape)(Gate, Py_ssize_t, PyObject*) noexcept
ctypedef PyObject* (*quietly_answer)(Gate, Call*) noexcept
ctypedef PyObject* (*quietly_load)(Gate, Look*, Call*) noexcept
ctypedef PyObject* (*quietly_dress)(Gate, PyObject*) noexcept
ctypedef int (*quietly_read)(Gate, Look*) noexcept
ctypedef int (*quietly_keep)(Gate, Look*, Call*, PyObject*, Flight*, uint64_t) noexcept


cdef inline GateCore* core_of(PyObject* gate) noexcept:
    return &(<Gate> gate).core


cdef PyObject* gate_unready(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames
) except NULL:
    raise RuntimeError("this Gate has not been initialised")


# The entry points, one for each common kind of key. Each tries the shortest way of a hit, which
# calls nothing but the clock of a timed table, and hands everything else on. `core.least` and
# `core.span` say which numbers of positional arguments are their own key.

cdef inline PyObject* enter_fixed(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames,
    Py_ssize_t n, bint weak, bint timed,
) noexcept:
    """A fixed number of arguments, kept inline, the first one perhaps weakly."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef int64_t now = UNREAD
    cdef PyObject* value
    cdef uint64_t hash
    if tc_unlikely(kwnames != NULL):
        return (call_named_timed if timed else call_named)(self, args, nargsf, kwnames)
    if tc_unlikely(PyVectorcall_NARGS(nargsf) != n or s.detour != (WATCHFUL if timed else 0)):
        return call_aside(self, args, nargsf, kwnames)
    if timed:
        now = tc_now()
    if tc_likely(plain_hash(args, n, weak, &hash)):
        value = hit_at_once(s, args, n, hash, weak, False, False, now)
        if tc_likely(value != NULL):
            return value
    return call_hashing(self, args, n)


cdef inline PyObject* enter_pattern(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames, Py_ssize_t n
) noexcept:
    """functools' pattern: a lone int or str as itself, other arguments as a tuple."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef PyObject* value
    cdef uint64_t hash
    if tc_unlikely(kwnames != NULL or s.detour):
        return call_aside(self, args, nargsf, kwnames)
    if tc_likely(plain_hash(args, n, False, &hash)):
        value = hit_at_once(s, args, n, hash, False, True, n == 1, UNREAD)
        if tc_likely(value != NULL):
            return value
    return call_hashing(self, args, n)


cdef inline PyObject* enter_named(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames, bint timed
) noexcept:
    """A call with keywords whose shape is the first remembered one, and in the key's order."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef Shape* shape = load_shape(&core.shape[0])
    cdef PyObject* value
    cdef uint64_t hash
    if tc_likely(
        shape != NULL and shape.kwnames == kwnames and shape.nargs == PyVectorcall_NARGS(nargsf)
        and shape.straight and core.plain and s.detour == (WATCHFUL if timed else 0)
        and plain_hash(args, shape.n, False, &hash)
    ):
        value = hit_at_once(
            s, args, shape.n, hash, False, False, False, tc_now() if timed else UNREAD
        )
        if tc_likely(value != NULL):
            return value
    return call_aside(self, args, nargsf, kwnames)


cdef PyObject* call_named "tc_call_named"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    return enter_named(self, args, nargsf, names, False)


cdef PyObject* call_named_timed "tc_call_named_timed"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    return enter_named(self, args, nargsf, names, True)


cdef PyObject* call_one(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, False)


cdef PyObject* call_one_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, True)


cdef PyObject* call_two(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, False)


cdef PyObject* call_two_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, True)


cdef PyObject* call_some(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, False)


cdef PyObject* call_some_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, True)


cdef PyObject* call_method(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, False)


cdef PyObject* call_method_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, True)


cdef PyObject* call_pattern(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    if tc_likely(PyVectorcall_NARGS(nargsf) == 1):
        return enter_pattern(self, args, nargsf, names, 1)
    return call_pattern_of_many(self, args, nargsf, names)


cdef PyObject* call_pattern_of_many "tc_call_pattern_of_many"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    return enter_pattern(self, args, nargsf, names, PyVectorcall_NARGS(nargsf))


cdef vectorcallfunc entry_for(GateCore* core, bint pattern) noexcept:
    """The entry point for a gate's kind of key."""
    cdef Store* s = core.store
    cdef bint timed = s.detour == WATCHFUL
    if core.special or core.least < 0 or core.span != 0 and not pattern:
        return <vectorcallfunc> &call_aside
    if pattern:
        return <vectorcallfunc> &call_pattern
    if s.weak:
        if core.least != 2:
            return <vectorcallfunc> &call_aside
        return <vectorcallfunc> (&call_method_timed if timed else &call_method)
    if core.least == 1:
        return <vectorcallfunc> (&call_one_timed if timed else &call_one)
    if core.least == 2:
        return <vectorcallfunc> (&call_two_timed if timed else &call_two)
    return <vectorcallfunc> (&call_some_timed if timed else &call_some)


cdef PyObject* call_hashing "tc_call_hashing"(
    PyObject* self, PyObject** args, size_t nargsf
) noexcept:
    """A positional call that the shortest way didn't answer; `nargsf` comes without a flag."""
    cdef Look look
    cdef Call call
    call.args = args
    call.nargsf = nargsf
    call.kwnames = NULL
    look.items = args
    look.n = nargsf
    look.now = UNREAD
    look.lone = core_of(self).lone and nargsf == 1 and is_lone(args[0])
    return hash_and_answer(self, core_of(self), &look, &call)


cdef PyObject* call_aside "tc_call_aside"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames
) noexcept:
    """Calls that aren't plainly positional, and tables that aren't plainly on."""
    cdef Gate gate = <Gate> self
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    cdef Py_ssize_t named
    cdef Call call
    cdef Look look
    cdef Shape* shape
    cdef PyObject* value
    look.now = UNREAD
    if kwnames != NULL and core.plain and not s.detour & OFF:
        shape = load_shape(&core.shape[0])
        if tc_unlikely(shape == NULL or shape.kwnames != kwnames or shape.nargs != n):
            shape = find_shape(core, n, kwnames)
        if tc_likely(shape != NULL):
            look.items = <PyObject**> tc_alloca((shape.n + 1) * sizeof(void*))
            fill(shape, args, look.items)
            if tc_likely(plain_hash(look.items, shape.n, False, &look.hash)):
                if s.detour:
                    look.now = tc_now()
                value = hit_at_once(
                    s, look.items, shape.n, look.hash, False, False, False, look.now
                )
                if tc_likely(value != NULL and not core.special):
                    return value
                if value != NULL:
                    return (<quietly_dress> dress)(gate, value)
    call.args = args
    call.nargsf = nargsf
    call.kwnames = kwnames
    look.lone = False
    if tc_unlikely(s.detour & OFF):
        if gate.table.bypass_depth or gate.table.limit == 0:
            tc_acquire(&s.lock)
            if gate.table.bypass_depth:
                s.bypasses += 1
            else:
                s.misses += 1
            tc_release(&s.lock)
            return call_function(core.function, &call)
        if (<quietly_read> read_now)(gate, &look) < 0:
            return NULL
    if kwnames == NULL and <size_t> (n - core.least) <= core.span:
        look.items = args
        look.n = n
        look.lone = core.lone and n == 1 and is_lone(args[0])
        return hash_and_answer(self, core, &look, &call)
    if gate.key is not None:
        value = PyObject_Vectorcall(<PyObject*> gate.key, args, nargsf, kwnames)
        if value == NULL:
            return NULL
        look.alone = value
        look.items = &look.alone
        look.n = 1
        value = hash_and_answer(self, core, &look, &call)
        tc_drop(look.alone)
        return value
    if gate.plan is None:
        named = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames)
        look.n = n + (1 + 2 * named if named else 0) + (n + named if gate.typed else 0)
        look.items = <PyObject**> tc_alloca((look.n + 1) * sizeof(void*))
        fill_pattern(&call, n, named, gate.typed, look.items)
        look.lone = core.lone and look.n == 1 and is_lone(look.items[0])
        return hash_and_answer(self, core, &look, &call)
    shape = find_shape(core, n, kwnames)
    if tc_unlikely(shape == NULL):
        shape = (<quietly_shape> shape_for)(gate, n, kwnames)
        if shape == NULL:
            return NULL if PyErr_Occurred() else call_function(core.function, &call)
    look.n = shape.n
    if tc_unlikely(s.weak and look.n == 0):
        forget_shape(shape)
        return call_function(core.function, &call)
    look.items = <PyObject**> tc_alloca((look.n + 1) * sizeof(void*))
    fill(shape, args, look.items)
    value = hash_and_answer(self, core, &look, &call)
    if tc_unlikely(not shape.remembered):
        free_shape(shape)
    return value


cdef PyObject* hash_and_answer(PyObject* self, GateCore* core, Look* look, Call* call) noexcept:
    """Tries the short way, then the whole one."""
    cdef Store* s = core.store
    cdef PyObject* value = NULL
    if tc_unlikely(hash_items(s, look) < 0):
        return (<quietly_answer> refuse)(<Gate> self, call)
    if tc_likely(core.plain and s.detour == 0):
        value = hit(s, look.items, look.n, look.hash, False, False, False, False)
    elif tc_likely(not s.detour & OFF):
        value = hit(
            s, look.items, look.n, look.hash, s.weak, s.packed, look.lone, s.detour & WATCHFUL
        )
    if tc_likely(value != NULL):
        return (<quietly_dress> dress)(<Gate> self, value) if core.special else value
    return answer(self, core, look, call)


cdef int read_now(Gate gate, Look* look) except -1:
    look.now = gate.table.read_clock()
    return 0


cdef inline void fill_pattern(
    Call* call, Py_ssize_t n, Py_ssize_t named, bint typed, PyObject** items
) noexcept:
    cdef Py_ssize_t j, k = n
    memcpy(items, call.args, n * sizeof(void*))
    if named:
        items[k] = <PyObject*> MARK
        k += 1
        for j in range(named):
            items[k] = PyTuple_GET_ITEM(call.kwnames, j)
            items[k + 1] = call.args[n + j]
            k += 2
    if typed:
        for j in range(n + named):
            items[k] = <PyObject*> Py_TYPE(call.args[j])
            k += 1


cdef PyObject* answer(PyObject* self, GateCore* core, Look* look, Call* call) noexcept:
    """The whole look-up, by the keys' own `__eq__`; then the value, or the way of a miss."""
    cdef Store* s = core.store
    cdef PyObject* value
    cdef Entry* e
    cdef uint32_t i
    tc_acquire(&s.lock)
    i = locate(s, look)
    if i == NONE or i == ERROR:
        return miss(<Gate> self, s, look, call, i)
    e = at(s, i)
    if s.detour & WATCHFUL:
        if look.now == UNREAD:
            look.now = tc_now()
        if not is_fresh(s, e, look.now):
            return miss(<Gate> self, s, look, call, i)
    s.hits += 1
    touch(s, e, i)
    value = e.value
    tc_own(value)
    tc_release(&s.lock)
    return (<quietly_dress> dress)(<Gate> self, value) if core.special else value


cdef PyObject* dress(Gate gate, PyObject* stored) except NULL:
    """A value on its way out, copied or made awaitable; takes over the reference."""
    cdef Ready ready
    value = <object> stored
    tc_drop(stored)
    if gate.copier is not None:
        value = gate.copier(value)
    if gate.awaitable:
        ready = Ready.__new__(Ready)
        ready.value = value
        value = ready
    tc_own(<PyObject*> value)
    return <PyObject*> value


cdef PyObject* refuse(Gate gate, Call* call) except NULL:
    """The arguments can't be hashed or held weakly: a TypeError is the hook's to explain."""
    if gate.on_key_error is None or not PyErr_ExceptionMatches(TypeError):
        raise_again()
    try:
        raise_again()
    except TypeError as error:
        result = gate.on_key_error(gate, args_of(call), kwargs_of(call), error)
    tc_own(<PyObject*> result)
    return <PyObject*> result


cdef PyObject* miss(Gate gate, Store* s, Look* look, Call* call, uint32_t i) noexcept:
    """Calls the function and stores what it gives. Comes with the lock."""
    cdef Table table = gate.table
    cdef Flight flight
    cdef PyObject* result
    cdef uint64_t absent = UINT64_MAX
    cdef bint grounding = gate.plan is not None or gate.key is not None     # functools doesn't
    if i == ERROR:
        tc_release(&s.lock)
        return NULL
    s.misses += 1
    if i == NONE:
        absent = s.changes
    if i != NONE and is_dead(s, at(s, i), look.now):
        table.drop_entry(i, &s.expirations)
    else:
        tc_release(&s.lock)
    if s.weak and (<quietly_read> adopt_first)(gate, look) < 0:
        return (<quietly_answer> refuse)(gate, call)
    if gate.on_miss is not None:
        return (<quietly_load> ask_hook)(gate, look, call)
    flight.grounded = False
    if grounding:
        tc_acquire(&s.lock)
        take_off(s, &flight, look.hash)
        tc_release(&s.lock)
    result = call_function(gate.core.function, call)
    if result != NULL and (<quietly_keep> keep)(gate, look, call, result, &flight, absent) < 0:
        tc_drop(result)
        result = NULL
    if grounding:
        tc_acquire(&s.lock)
        touch_down(s, &flight)
        tc_release(&s.lock)
    return result


cdef PyObject* call_function(PyObject* function, Call* call) noexcept:
    cdef PyObject* result
    if Py_EnterRecursiveCall(b" in a cached function"):
        return NULL
    result = PyObject_Vectorcall(function, call.args, call.nargsf, call.kwnames)
    Py_LeaveRecursiveCall()
    return result


cdef int adopt_first(Gate gate, Look* look) except -1:
    gate.table.adopt(<object> look.items[0])
    return 0


cdef PyObject* ask_hook(Gate gate, Look* look, Call* call) except NULL:
    key = <object> look.items[0] if look.lone else tuple_of(look.items, look.n)
    result = gate.on_miss(gate, key, args_of(call), kwargs_of(call))
    tc_own(<PyObject*> result)
    return <PyObject*> result


cdef int keep(
    Gate gate, Look* look, Call* call, PyObject* value, Flight* flight, uint64_t absent
) except -1:
    """Stores a result if the options want it and nothing has grounded its flight."""
    cdef int64_t lasts = gate.table.fresh_for
    if gate.decide is not None:
        ttl = gate.decide(<object> value, args_of(call), kwargs_of(call))
        lasts = lasts_for(gate.table, ttl)
        if lasts < 0:
            return 0
    if gate.copier is None:
        if not flight.grounded:
            write(gate.table, look, value, lasts, 1, False, absent)
        return 0
    stored = gate.copier(<object> value)
    if not flight.grounded:
        write(gate.table, look, <PyObject*> stored, lasts, 1, False, absent)
    return 0


cdef tuple tuple_of(PyObject** items, Py_ssize_t n):
    cdef Py_ssize_t j
    return tuple([<object> items[j] for j in range(n)])


cdef tuple args_of(Call* call):
    return tuple_of(call.args, PyVectorcall_NARGS(call.nargsf))


cdef dict kwargs_of(Call* call):
    if call.kwnames == NULL:
        return {}
    names = <tuple> call.kwnames
    return dict(zip(names, tuple_of(call.args + PyVectorcall_NARGS(call.nargsf), len(names))))


# -- types are made ready ------------------------------------------------------------------------------

cdef Gate _specimen = Gate.__new__(Gate)
cdef Py_ssize_t call_offset = <char*> &_specimen.core.call - <char*> <PyObject*> _specimen



def _init_subclass(cls):
    tc_make_callable(<PyTypeObject*> cls, call_offset)


tc_make_callable(<PyTypeObject*> Gate, call_offset)
_hook = classmethod(_init_subclass)
tc_add_to_type(<PyTypeObject*> Gate, b"__init_subclass__", <PyObject*> _hook)
tc_make_awaitable(<PyTypeObject*> Ready, &ready_next, &ready_send)
tc_chain_gc(<PyTypeObject*> Table, <void*> &table_traverse, <void*> &table_clear)
