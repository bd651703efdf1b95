# Keys: hashing what a call brought, and finding the entry that has it.
#
# A key is hashed from left to right, once. Entries are compared only where all 64 bits of the
# mixed hash agree. Exact ints, strs, floats and bytes are compared here; all else is asked by its own
# `__eq__`, which may do what it likes: the stored objects are owned while it runs, the lock is
# free, and if the table changed meanwhile the search begins anew, as in CPython's dict.
# Longer than 400 lines because the short way and the long way of a look-up have to stay alike.

from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from gate cimport *
from index cimport *
from order cimport *
from store cimport *
from wheel cimport end_of

cdef extern from "Python.h":
    bint PyTuple_CheckExact(PyObject*) noexcept
    bint PyLong_CheckExact(PyObject*) noexcept
    bint PyUnicode_CheckExact(PyObject*) noexcept
    Py_ssize_t PyTuple_GET_SIZE(PyObject*) noexcept
    int PyObject_RichCompareBool(PyObject*, PyObject*, int) noexcept
    PyTypeObject* Py_TYPE(PyObject*) noexcept
    PyObject* PyErr_NoMemory() noexcept
    enum:
        Py_EQ

cdef extern from *:
    """
    #define tc_own(o) Py_INCREF(o)
    #define tc_drop(o) Py_DECREF(o)
    #define tc_items(tuple) (((PyTupleObject *)(tuple))->ob_item)
    """
    void tc_own(PyObject*) noexcept
    void tc_drop(PyObject*) noexcept
    PyObject** items_of "tc_items"(PyObject*) noexcept

cdef struct Asked:               # a stored key that was compared by its own `__eq__`
    Asked* earlier
    int verdict
    PyObject* key[1]

cdef struct Look:                # one look-up
    PyObject** items             # borrowed from whoever calls
    Py_ssize_t n
    uint64_t hash
    int64_t now                  # UNREAD as long as the clock hasn't been needed
    bint lone                    # one int or str that is its own key in a packed table
    PyObject* alone              # where `items` points if the key came as one Python object
    Asked* asked                 # answers that a change of the table has not made void

cdef extern from *:
    """
    #define TC_AGAIN (UINT32_MAX - 1)
    #define TC_UNREAD INT64_MIN
    #define TC_PRIME UINT64_C(0xC2B2AE3D27D4EB4F)
    """
    const uint32_t AGAIN "TC_AGAIN"         # a search that was disturbed
    const int64_t UNREAD "TC_UNREAD"
    const uint64_t PRIME "TC_PRIME"         # a prime of xxHash (Collet, 2012)


cdef inline bint is_lone(PyObject* o) noexcept:
    return PyLong_CheckExact(o) or PyUnicode_CheckExact(o)


cdef inline void view(Store* s, object key, Look* look) noexcept:
    """Points `look` at a key given as a Python object, which has to outlive it."""
    look.lone = s.packed and not PyTuple_CheckExact(<PyObject*> key)
    if look.lone:
        look.alone = <PyObject*> key
        look.items = &look.alone
        look.n = 1
    else:
        look.items = items_of(<PyObject*> key)
        look.n = PyTuple_GET_SIZE(<PyObject*> key)


# -- deadlines -------------------------------------------------------------------------------------

cdef inline bint is_fresh(Store* s, Entry* e, int64_t now) noexcept:
    if tc_unlikely(not s.detour & WATCHFUL):
        return True
    if now >= s.valid_until or (s.fresh_at and now >= wide(e, s.fresh_at)[0]):
        return False
    if s.idle_at and now >= wide(e, s.idle_at)[0]:
        return False
    return s.generation_at == 0 or narrow(e, s.generation_at)[0] == s.generation


cdef inline bint is_dead(Store* s, Entry* e, int64_t now) noexcept:
    """Whether an entry is of no more use at all."""
    if not s.detour & WATCHFUL:
        return False
    if s.generation_at and narrow(e, s.generation_at)[0] != s.generation:
        return True
    return now < s.valid_until and s.fresh_at != 0 and now >= end_of(s, e)


# -- look-up ---------------------------------------------------------------------------------------

cdef inline uint64_t seed_of(PyObject* instance) noexcept:
    """What an object held weakly adds to the hash: its address."""
    return (<uint64_t> instance >> 4) * PRIME


# Several objects are summed, each times an odd constant of its own (a multilinear hash): one
# multiplication each, none waiting for another, and regular keys stay regular. What one object
# alone gives, and why, stands in `index`. The short ways keep product and place apart, `placed`
# makes them one.
#
# Of a hash's highest bits a product keeps no more than the factor's lowest, in which factors agree;
# and floats with few bits (1.5, 0.25) differ up there alone. So each hash is folded first. Folds of
# 23 to 39 bits were tried on grids of ints and floats: with 33 keys lie most evenly.

cdef inline uint64_t folded(Py_hash_t hash) noexcept nogil:
    """An object's hash, its high bits among its low ones, too; ints from 0 to 2^33 as they are."""
    return <uint64_t> hash ^ <uint64_t> hash >> 33


cdef inline bint plain_hash(
    PyObject** items, Py_ssize_t n, bint weak, bint typed, uint64_t* product, uint32_t* near
) noexcept:
    """Product and place of exact ints and strs, bools and None; False if there is anything else.

    `typed` says that their types follow them in the key.
    """
    cdef uint64_t sum = seed_of(items[0]) + n if weak else n + n * typed
    cdef uint64_t factor = GOLDEN
    cdef Py_ssize_t j = 1 if weak else 0
    cdef Py_hash_t hash
    near[0] = 0
    while j < n:
        if tc_unlikely(not tc_plain_hash(items[j], &hash)):
            return False
        if n == 1 and not typed:
            near[0] = neighbour(hash)
            sum += <uint64_t> (hash >> 3) * factor
        else:
            sum += folded(hash) * factor
        factor *= PRIME
        j += 1
    if typed:
        for j in range(n):
            sum += folded(tc_plain_type_hash(items[j])) * factor
            factor *= PRIME
    product[0] = sum
    return True


cdef inline int hash_items(Store* s, Look* look, bint quietly) noexcept:
    """Fills in the mixed hash of any objects; -1 if one raised.

    `quietly` hashes only what runs nobody's code, and gives -1 without an exception for the rest.
    """
    cdef uint64_t sum, factor = GOLDEN
    cdef Py_ssize_t j = 1 if s.weak else 0
    cdef uint32_t near = 0
    cdef Py_hash_t hash
    sum = seed_of(look.items[0]) + look.n if s.weak else look.n
    while j < look.n:
        if quietly:
            if tc_unlikely(not tc_known_hash(look.items[j], &hash)):
                return -1
        else:
            hash = tc_hash(look.items[j])
            if tc_unlikely(hash == -1):
                return -1
        if look.n == 1:
            near = neighbour(hash)
            sum += <uint64_t> (hash >> 3) * factor
        else:
            sum += folded(hash) * factor
        factor *= PRIME
        j += 1
    look.hash = placed(sum, near)
    return 0


cdef inline int compare(Store* s, Entry* e, Look* look) noexcept:
    """1 the same key, 0 another one, -1 only Python code can tell."""
    cdef PyObject** key = key_of(e)
    cdef PyObject* stored = key[0]
    cdef Py_ssize_t j = 0
    cdef int verdict
    if s.packed:
        if look.lone:
            return 0 if PyTuple_CheckExact(stored) else tc_same(stored, look.items[0])
        if not PyTuple_CheckExact(stored) or PyTuple_GET_SIZE(stored) != look.n:
            return 0
        key = items_of(stored)
    if s.weak:
        if tc_referent(key[0]) != look.items[0]:
            return 0
        j = 1
    while j < look.n:
        verdict = tc_same(key[j], look.items[j])
        if verdict != 1:
            return verdict
        j += 1
    return 1


cdef inline int ask(Store* s, Entry* e, Look* look) noexcept:
    """Compares by the objects' own `__eq__`, stored == given; -1 if one raised.

    What the answer was is remembered if the table changed meanwhile, so that a search that begins
    anew asks no pair twice, even if every `__eq__` changes the table.
    """
    cdef Py_ssize_t width = s.width, j
    cdef uint64_t changes = s.changes
    cdef PyObject* few[8]               # not alloca: one search may ask many times
    cdef PyObject** owned = few
    cdef PyObject** key
    cdef int verdict = 1
    cdef Asked* asked = look.asked
    while asked != NULL:
        if memcmp(asked.key, key_of(e), width * sizeof(void*)) == 0:
            return asked.verdict
        asked = asked.earlier
    if width > 8:
        owned = <PyObject**> malloc(width * sizeof(void*))
        if owned == NULL:
            PyErr_NoMemory()
            return -1
    memcpy(owned, key_of(e), width * sizeof(void*))
    for j in range(width):
        tc_own(owned[j])
    let_go(s)
    key = items_of(owned[0]) if s.packed and not look.lone else owned
    j = 1 if s.weak else 0
    while verdict == 1 and j < look.n:
        verdict = PyObject_RichCompareBool(key[j], look.items[j], Py_EQ)
        j += 1
    seize(s)
    if tc_likely(s.changes == changes):
        for j in range(width):
            tc_drop(owned[j])           # the table has them still: nobody's code runs
        if owned != few:
            free(owned)
        return verdict
    asked = <Asked*> malloc(sizeof(Asked) + width * sizeof(void*))
    if asked == NULL:
        PyErr_NoMemory()
        return -1                       # leaks what it owns, to drop it here would run code
    memcpy(asked.key, owned, width * sizeof(void*))
    if owned != few:
        free(owned)
    asked.verdict = verdict
    asked.earlier = look.asked
    look.asked = asked
    return verdict


cdef inline void forget_asked(Store* s, Look* look) noexcept:
    cdef Asked* asked
    cdef uint32_t j
    while look.asked != NULL:
        asked = look.asked
        look.asked = asked.earlier
        for j in range(s.width):
            tc_drop(asked.key[j])
        free(asked)


cdef inline uint32_t search(Store* s, Look* look, uint32_t* slots, uint32_t mask) noexcept:
    cdef uint32_t position = home_of(look.hash, mask)
    cdef uint32_t tag = tag_of(look.hash, mask)
    cdef uint32_t slot
    cdef uint64_t changes = s.changes
    cdef Entry* e
    cdef int verdict
    while slots[position] != 0:
        slot = slots[position]
        if slot & ~mask == tag and slot != GONE:
            e = at(s, slot & mask)
            if same_hash(e, look.hash):
                verdict = compare(s, e, look)
                if verdict == -1:
                    verdict = ask(s, e, look)
                    if verdict == -1:
                        return ERROR
                    if s.changes != changes:
                        return AGAIN
                if verdict == 1:
                    return slot & mask
        position = (position + 1) & mask
    return NONE


cdef inline uint32_t find(Store* s, Look* look) noexcept:
    """The entry's number, NONE, or ERROR with an exception set."""
    cdef uint32_t found
    cdef uint64_t changes
    look.asked = NULL
    while True:
        found = AGAIN
        while found == AGAIN:
            found = search(s, look, s.slots, s.mask)
            if found == NONE and s.old != NULL:
                found = search(s, look, s.old, s.old_mask)
        if tc_likely(look.asked == NULL):
            return found
        changes = s.changes
        let_go(s)
        forget_asked(s, look)
        seize(s)
        if s.changes == changes or found == ERROR:
            return found


cdef inline bint fits(
    Entry* e, PyObject** items, Py_ssize_t n,
    bint weak, bint packed, bint lone, bint typed, bint instantly,
) noexcept:
    """Whether an entry's key is this one, as far as plain comparison can tell."""
    cdef PyObject** key = key_of(e)
    cdef Py_ssize_t j = 0
    if packed and not lone:
        if tc_unlikely(
            not PyTuple_CheckExact(key[0]) or PyTuple_GET_SIZE(key[0]) != n + n * typed
        ):
            return False
        key = items_of(key[0])
    if weak:
        if tc_unlikely(tc_referent(key[0]) != items[0]):
            return False
        j = 1
    while j < n:
        if instantly:
            # A text may be long to compare: only where it is the whole key, and so worth it here.
            if tc_unlikely(
                not tc_instantly_same(key[j], items[j])
                and (n != 1 or not tc_plainly_same(key[j], items[j]))
            ):
                return False
        elif tc_unlikely(not tc_simply_same(key[j], items[j])):
            return False
        if typed and tc_unlikely(key[n + j] != <PyObject*> Py_TYPE(items[j])):
            return False
        j += 1
    return True


cdef extern from "gate.h":
    PyObject* take_otherwise "tc_take_otherwise"(void*, void*, void*, uint32_t, int64_t) noexcept


cdef inline PyObject* take(Store* s, Reader* reader, Entry* e, uint32_t i) noexcept:
    """Counts a hit on entry i under plain lru and gives its value; comes inside, and leaves."""
    cdef PyObject* value
    move_first(s.chunks, s.stride, e, i)
    reader.hits += 1
    value = e.value
    tc_own(value)
    leave(reader)
    return value


cdef inline PyObject* take_quietly(
    Store* s, Reader* reader, Entry* e, uint32_t i, int64_t now
) noexcept:
    """`take` for any policy; those that count, or do nothing, at once."""
    cdef PyObject* value
    cdef uint8_t marked
    if tc_unlikely(s.on_hit > COUNT):
        return take_otherwise(s, reader, e, i, now)
    marked = tc_load_byte(mark_of(e))
    if (marked & 3) < s.counts:
        tc_store_byte(mark_of(e), marked + 1)
    reader.hits += 1
    value = e.value
    tc_own(value)
    leave(reader)
    return value


cdef inline PyObject* hit_at_once(
    Store* s, PyObject** items, Py_ssize_t n, uint64_t hash, uint32_t near,
    bint weak, bint packed, bint lone, bint typed, bint instantly, int64_t now, bint aside,
) noexcept:
    """The shortest way of a hit: the value if one of the first two slots has it, else NULL.

    Told what kind of table it is in, so that each kind is compiled for itself, without a loop
    and without a call. The tag is compared, the whole hash need not be: keys that are the same
    instantly have the same hash. `now` is UNREAD for a table that isn't WATCHFUL.
    """
    cdef uint32_t mask, position, tag, i
    cdef Entry* e
    cdef Reader* reader = enter(s)
    mask = s.mask
    position = <uint32_t> (hash >> s.shift) ^ near
    tag = tag_of(hash, mask)
    i = s.slots[position]
    if tc_unlikely((i & ~mask) != tag):
        i = s.slots[(position + 1) & mask]
    if tc_likely((i & ~mask) == tag and i != 0):
        i &= mask
        e = at(s, i)
        if tc_likely(fits(e, items, n, weak, packed, lone, typed, instantly) and (
            now == UNREAD or is_fresh(s, e, now)
        )):
            if aside:
                return take_quietly(s, reader, e, i, now)
            return take(s, reader, e, i)
    leave(reader)
    return NULL


cdef inline PyObject* hit(
    Store* s, PyObject** items, Py_ssize_t n, uint64_t hash,
    bint weak, bint packed, bint lone, bint watchful,
) noexcept:
    """The short way of a hit: the value, or NULL if it takes more than plain comparison."""
    cdef uint32_t* slots
    cdef uint32_t mask, position, tag, i
    cdef int64_t now = UNREAD
    cdef Entry* e
    cdef Reader* reader = enter(s)
    slots = s.slots
    mask = s.mask
    position = <uint32_t> (hash >> s.shift) ^ near_of(hash)
    tag = tag_of(hash, mask)
    while True:
        i = slots[position]
        if i == 0:
            break
        if (i & ~mask) == tag:
            i &= mask
            e = at(s, i)
            if tc_likely(same_hash(e, hash)):
                if not fits(e, items, n, weak, packed, lone, False, False):
                    break
                if watchful:
                    now = tc_now()
                    if tc_unlikely(not is_fresh(s, e, now)):
                        break
                return take_otherwise(s, reader, e, i, now)
        position = (position + 1) & mask
    leave(reader)
    return NULL
