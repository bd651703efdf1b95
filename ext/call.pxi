# Calls: the entry points, the short way of a hit, the long way, and the miss.
#
# Longer than 400 lines because it is one path, told from its beginning to its end.

#
# What follows hands exceptions on as the C API does, by NULL: a traceback of the user's function
# shows no lines of ours. Helpers in plain Cython are called as `quietly_…`, through a cast that
# says the same.

cdef struct Call:                   # a call as vectorcall hands it over
    PyObject** args
    size_t nargsf
    PyObject* kwnames

ctypedef Shape* (*quietly_shape)(Gate, Py_ssize_t, PyObject*, bint) noexcept
ctypedef PyObject* (*quietly_answer)(Gate, Call*) noexcept
ctypedef PyObject* (*quietly_load)(Gate, Look*, Call*) noexcept
ctypedef PyObject* (*quietly_dress)(Gate, PyObject*) noexcept
ctypedef int (*quietly_read)(Table, Look*) noexcept
ctypedef int (*quietly_keep)(
    Gate, Table, Look*, Call*, PyObject*, FlightLink*, uint64_t
) noexcept


# Nearly all of it may run code of others, which may configure the gate anew (as naming a method
# does). So a call asks the gate once for its Store, and from then on goes by that; the gate keeps
# what earlier configurations owned.

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
    Py_ssize_t n, bint weak, bint timed, bint aside,
) noexcept:
    """A fixed number of arguments, kept inline, the first one perhaps weakly."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef int64_t now = UNREAD
    cdef PyObject* value
    cdef uint64_t hash
    cdef uint32_t near
    if tc_unlikely(kwnames != NULL):
        return call_named(self, args, nargsf, kwnames)
    if tc_unlikely(PyVectorcall_NARGS(nargsf) != n or s.detour != (WATCHFUL * timed | ASIDE * aside)):
        return call_aside(self, args, nargsf, kwnames)
    if timed:
        now = tc_now()
    if tc_likely(plain_hash(args, n, weak, False, &hash, &near)):
        value = hit_at_once(s, args, n, hash, near, weak, False, False, False, True, now, aside)
        if tc_likely(value != NULL):
            return value
    return call_hashing(self, args, n)


cdef inline PyObject* enter_pattern(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames, Py_ssize_t n, bint aside
) noexcept:
    """functools' pattern: a lone int or str as itself, other arguments as a tuple."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef PyObject* value
    cdef uint64_t hash
    cdef uint32_t near
    if tc_unlikely(kwnames != NULL or s.detour != ASIDE * aside):
        return call_aside(self, args, nargsf, kwnames)
    if tc_likely(plain_hash(args, n, False, False, &hash, &near)):
        value = hit_at_once(s, args, n, hash, near, False, True, n == 1, False, True, UNREAD, aside)
        if tc_likely(value != NULL):
            return value
    return call_hashing(self, args, n)


cdef inline PyObject* enter_typed(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames, Py_ssize_t n,
    bint timed, bint aside,
) noexcept:
    """Arguments and their types, inline or as a tuple."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef int64_t now = UNREAD
    cdef PyObject* value
    cdef uint64_t hash
    cdef uint32_t near
    if tc_unlikely(kwnames != NULL or s.detour != (WATCHFUL * timed | ASIDE * aside)):
        return call_aside(self, args, nargsf, kwnames)
    if timed:
        now = tc_now()
    if tc_likely(plain_hash(args, n, False, True, &hash, &near)):
        value = hit_at_once(s, args, n, hash, near, False, s.packed, False, True, True, now, aside)
        if tc_likely(value != NULL):
            return value
    return call_aside(self, args, nargsf, kwnames)


cdef inline PyObject* enter_named(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames, bint timed, bint aside
) noexcept:
    """A call with keywords whose shape is the first remembered one, and in the key's order."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef Shape* shape = load_shape(&core.shape[0])
    cdef PyObject* value
    cdef uint64_t hash
    cdef uint32_t near
    if tc_likely(
        shape != NULL and shape.kwnames == kwnames and shape.nargs == PyVectorcall_NARGS(nargsf)
        and shape.straight and core.plain and s.detour == (WATCHFUL * timed | ASIDE * aside)
        and plain_hash(args, shape.n, False, False, &hash, &near)
    ):
        value = hit_at_once(
            s, args, shape.n, hash, near, False, False, False, False, True,
            tc_now() if timed else UNREAD, aside,
        )
        if tc_likely(value != NULL):
            return value
    return call_aside(self, args, nargsf, kwnames)


cdef PyObject* call_named "tc_call_named"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    cdef int detour = core_of(self).store.detour
    if detour == 0:
        return enter_named(self, args, nargsf, names, False, False)
    if detour == WATCHFUL:
        return call_named_timed(self, args, nargsf, names)
    return call_named_aside(self, args, nargsf, names)


cdef PyObject* call_named_timed "tc_call_named_timed"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    return enter_named(self, args, nargsf, names, True, False)


cdef PyObject* call_named_aside "tc_call_named_aside"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    if core_of(self).store.detour & WATCHFUL:
        return enter_named(self, args, nargsf, names, True, True)
    return enter_named(self, args, nargsf, names, False, True)


cdef PyObject* call_one(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, False, False)


cdef PyObject* call_one_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, True, False)


cdef PyObject* call_one_aside(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, False, True)


cdef PyObject* call_one_aside_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 1, False, True, True)


cdef PyObject* call_two(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, False, False)


cdef PyObject* call_two_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, True, False)


cdef PyObject* call_two_aside(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, False, True)


cdef PyObject* call_two_aside_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, False, True, True)


cdef PyObject* call_some(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, False, False)


cdef PyObject* call_some_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, True, False)


cdef PyObject* call_some_aside(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, False, True)


cdef PyObject* call_some_aside_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, core_of(self).least, False, True, True)


cdef PyObject* call_method(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, False, False)


cdef PyObject* call_method_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, True, False)


cdef PyObject* call_method_aside(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, False, True)


cdef PyObject* call_method_aside_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    return enter_fixed(self, args, nargsf, names, 2, True, True, True)


cdef PyObject* call_pattern(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    if tc_likely(PyVectorcall_NARGS(nargsf) == 1):
        return enter_pattern(self, args, nargsf, names, 1, False)
    return call_pattern_of_many(self, args, nargsf, names)


cdef PyObject* call_pattern_aside(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    if tc_likely(PyVectorcall_NARGS(nargsf) == 1):
        return enter_pattern(self, args, nargsf, names, 1, True)
    return call_pattern_of_many(self, args, nargsf, names)


cdef PyObject* call_pattern_of_many "tc_call_pattern_of_many"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    if core_of(self).store.detour & ASIDE:
        return enter_pattern(self, args, nargsf, names, PyVectorcall_NARGS(nargsf), True)
    return enter_pattern(self, args, nargsf, names, PyVectorcall_NARGS(nargsf), False)


cdef PyObject* call_one_typed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    if tc_likely(PyVectorcall_NARGS(nargsf) == 1):
        return enter_typed(self, args, nargsf, names, 1, False, False)
    return call_typed_of_many(self, args, nargsf, names)


cdef PyObject* call_one_typed_timed(PyObject* self, PyObject** args, size_t nargsf, PyObject* names) noexcept:
    if tc_likely(PyVectorcall_NARGS(nargsf) == 1):
        return enter_typed(self, args, nargsf, names, 1, True, False)
    return call_typed_of_many(self, args, nargsf, names)


cdef PyObject* call_typed_of_many "tc_call_typed_of_many"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* names
) noexcept:
    cdef GateCore* core = core_of(self)
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    cdef int detour = core.store.detour
    if tc_unlikely(<size_t> (n - core.least) > core.span):
        return call_aside(self, args, nargsf, names)
    if detour & ASIDE:
        if detour & WATCHFUL:
            return enter_typed(self, args, nargsf, names, n, True, True)
        return enter_typed(self, args, nargsf, names, n, False, True)
    if detour & WATCHFUL:
        return enter_typed(self, args, nargsf, names, n, True, False)
    return enter_typed(self, args, nargsf, names, n, False, False)


cdef vectorcallfunc entry_for(GateCore* core, bint pattern) noexcept:
    """The entry point for a gate's kind of key."""
    cdef Store* s = core.store
    cdef bint timed = s.detour & WATCHFUL
    cdef bint aside = s.detour & ASIDE
    if core.special or core.least < 0 or core.typed and s.weak:
        return <vectorcallfunc> &call_aside
    if core.typed:
        if aside or <size_t> (1 - core.least) > core.span:
            return <vectorcallfunc> &call_typed_of_many
        return <vectorcallfunc> (&call_one_typed_timed if timed else &call_one_typed)
    if (core.span != 0 or s.packed) and not pattern:
        return <vectorcallfunc> &call_aside
    if pattern:
        return <vectorcallfunc> (&call_pattern_aside if aside else &call_pattern)
    if s.weak and core.least != 2:
        return <vectorcallfunc> &call_aside
    if s.weak:
        if aside:
            return <vectorcallfunc> (&call_method_aside_timed if timed else &call_method_aside)
        return <vectorcallfunc> (&call_method_timed if timed else &call_method)
    if core.least == 1:
        if aside:
            return <vectorcallfunc> (&call_one_aside_timed if timed else &call_one_aside)
        return <vectorcallfunc> (&call_one_timed if timed else &call_one)
    if core.least == 2:
        if aside:
            return <vectorcallfunc> (&call_two_aside_timed if timed else &call_two_aside)
        return <vectorcallfunc> (&call_two_timed if timed else &call_two)
    if aside:
        return <vectorcallfunc> (&call_some_aside_timed if timed else &call_some_aside)
    return <vectorcallfunc> (&call_some_timed if timed else &call_some)


cdef PyObject* call_hashing "tc_call_hashing"(
    PyObject* self, PyObject** args, size_t nargsf
) noexcept:
    """A positional call that the shortest way didn't answer; `nargsf` comes without a flag."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef bint plain = core.plain
    cdef Look look
    cdef Call call
    cdef PyObject* value
    look.items = args
    look.n = nargsf
    look.lone = core.lone and nargsf == 1 and is_lone(args[0])
    call.args = args
    call.nargsf = nargsf
    call.kwnames = NULL
    if tc_unlikely(hash_items(s, &look, False) < 0):
        return (<quietly_answer> refuse)(<Gate> self, &call)
    if tc_likely(plain and s.detour & ~ASIDE == 0):
        value = hit_at_once(
            s, args, nargsf, look.hash, near_of(look.hash), False, False, False, False, True, UNREAD, True
        )
        if tc_likely(value != NULL):
            return value
    look.now = UNREAD
    return answer_hashed(self, s, &look, &call)


cdef PyObject* call_aside "tc_call_aside"(
    PyObject* self, PyObject** args, size_t nargsf, PyObject* kwnames
) noexcept:
    """Calls that aren't plainly positional, and tables that aren't plainly on."""
    cdef GateCore* core = core_of(self)
    cdef Store* s = core.store
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    cdef Call call
    cdef Look look
    cdef Shape* shape
    cdef PyObject* value
    call.args = args
    call.nargsf = nargsf
    call.kwnames = kwnames
    look.now = UNREAD
    look.n = -1
    if tc_likely(not s.detour & OFF and n <= WIDEST):
        look.lone = False
        if kwnames == NULL and <size_t> (n - core.least) <= core.span:
            look.items = args
            look.n = n
            if core.typed:
                look.n = 2 * n
                look.items = <PyObject**> tc_alloca((look.n + 1) * sizeof(void*))
                fill_pattern(&call, n, 0, True, look.items)
            elif core.lone and n == 1:
                look.lone = is_lone(args[0])
        elif tc_load(&core.shapes):
            shape = load_shape(&core.shape[0])
            if tc_unlikely(shape == NULL or shape.kwnames != kwnames or shape.nargs != n):
                shape = find_shape(core, n, kwnames)
            if tc_likely(shape != NULL and shape.n <= 2 * WIDEST and shape.n >= s.weak):
                look.n = shape.n
                look.items = <PyObject**> tc_alloca((look.n + 1) * sizeof(void*))
                fill(shape, args, look.items)
    if tc_likely(look.n >= 0):
        if tc_unlikely(hash_items(s, &look, True) < 0):
            return hash_and_answer(self, s, &look, &call)
        if s.detour & WATCHFUL:
            look.now = tc_now()
        if core.plain:
            value = hit_at_once(
                s, look.items, look.n, look.hash, near_of(look.hash),
                False, False, False, False, False, look.now, True,
            )
        else:
            value = hit_at_once(
                s, look.items, look.n, look.hash, near_of(look.hash),
                s.weak, s.packed, look.lone, False, False, look.now, True,
            )
        if tc_likely(value != NULL):
            return (<quietly_dress> dress)(<Gate> self, value) if core.special else value
        if core.typed and s.weak:
            return hash_and_answer(self, s, &look, &call)   # the instance isn't hashed: any class
        return answer_hashed(self, s, &look, &call)
    if tc_unlikely(s.detour & OFF):
        if tc_load_pointer(<void**> &hook_asked) != NULL:
            return (<quietly_answer> ask_detour)(<Gate> self, &call)
        return answer_straight(self, s, &look, &call, True)
    return bind_and_answer(self, s, &look, &call, True)


cdef PyObject* ask_detour(Gate gate, Call* call) except NULL:
    cdef PyObject* hook = <PyObject*> tc_load_pointer(<void**> &hook_asked)
    cdef PyObject* result
    if hook == NULL:            # it has ended just now
        result = call_function(<PyObject*> gate, call)
        if result == NULL:
            raise_again()
        return result
    answer = (<object> hook)(gate, args_of(call), kwargs_of(call))
    tc_own(<PyObject*> answer)
    return <PyObject*> answer


cdef PyObject* answer_straight(
    PyObject* self, Store* s, Look* look, Call* call, bint remember
) noexcept:
    """Answers a call that may find the table off, as if there were no detour."""
    look.now = UNREAD
    if s.detour & OFF:
        if (<Table> s.table).bypass_depth or (<Table> s.table).limit == 0:
            tc_acquire(&s.lock)
            if (<Table> s.table).bypass_depth:
                s.bypasses += 1
            else:
                s.misses += 1
            tc_release(&s.lock)
            return call_function(core_of(self).function, call)
        if (<quietly_read> read_now)(<Table> s.table, look) < 0:
            return NULL
    return bind_and_answer(self, s, look, call, remember)


cdef PyObject* bind_and_answer(
    PyObject* self, Store* s, Look* look, Call* call, bint remember
) noexcept:
    """Makes the key of a call, whatever kind of key it is; may remember how."""
    cdef Gate gate = <Gate> self
    cdef GateCore* core = core_of(self)
    cdef PyObject** args = call.args
    cdef PyObject* kwnames = call.kwnames
    cdef Py_ssize_t n = PyVectorcall_NARGS(call.nargsf)
    cdef Py_ssize_t named
    cdef Shape* shape
    cdef PyObject* value
    cdef bint straight = kwnames == NULL and <size_t> (n - core.least) <= core.span
    look.lone = False
    if straight and not core.typed:
        look.items = args
        look.n = n
        look.lone = core.lone and n == 1 and is_lone(args[0])
        return hash_and_answer(self, s, look, call)
    if gate.key is not None:
        value = call_function(<PyObject*> gate.key, call)
        if value == NULL:
            return NULL
        look.alone = value
        look.items = &look.alone
        look.n = 1
        value = hash_and_answer(self, s, look, call)
        tc_drop(look.alone)
        return value
    if straight or gate.plan is None:
        named = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames)
        look.n = n + (1 + 2 * named if named else 0) + (n + named if gate.typed else 0)
        look.items = tc_room(look.n)
        if tc_unlikely(look.items == NULL):
            return PyErr_NoMemory()
        fill_pattern(call, n, named, gate.typed, look.items)
        look.lone = core.lone and look.n == 1 and is_lone(look.items[0])
        value = hash_and_answer(self, s, look, call)
        tc_vacate(look.items, look.n)
        return value
    shape = find_shape(core, n, kwnames)
    if tc_unlikely(shape == NULL):
        shape = (<quietly_shape> shape_for)(gate, n, kwnames, remember)
        if shape == NULL:
            return NULL if PyErr_Occurred() else call_function(core.function, call)
    look.n = shape.n
    if tc_unlikely(s.weak and look.n == 0):
        forget_shape(shape)
        return call_function(core.function, call)
    look.items = tc_room(look.n)
    if tc_unlikely(look.items == NULL):
        forget_shape(shape)
        return PyErr_NoMemory()
    fill(shape, args, look.items)
    value = hash_and_answer(self, s, look, call)
    tc_vacate(look.items, look.n)
    forget_shape(shape)
    return value


cdef PyObject* hash_and_answer(PyObject* self, Store* s, Look* look, Call* call) noexcept:
    cdef bint typed = core_of(self).typed
    cdef PyObject* value
    cdef Py_ssize_t j
    if tc_unlikely(s != core_of(self).store):
        return call_function(self, call)    # configured anew meanwhile: the call begins again
    if typed:
        for j in range(look.n):     # an object may get another class meanwhile, and its own be gone
            tc_own(look.items[j])
    if tc_unlikely(hash_items(s, look, False) < 0):
        value = (<quietly_answer> refuse)(<Gate> self, call)
    else:
        value = answer_hashed(self, s, look, call)
    if typed:
        for j in range(look.n):
            tc_drop(look.items[j])
    return value


cdef PyObject* answer_hashed(PyObject* self, Store* s, Look* look, Call* call) noexcept:
    """Tries the short way, then the whole one."""
    cdef PyObject* value = NULL
    if tc_likely(s.detour & ~ASIDE == 0 and not s.packed and not s.weak):
        value = hit(s, look.items, look.n, look.hash, False, False, False, False)
    elif tc_likely(not s.detour & OFF):
        value = hit(
            s, look.items, look.n, look.hash, s.weak, s.packed, look.lone, s.detour & WATCHFUL
        )
    if tc_likely(value != NULL):
        return (<quietly_dress> dress)(<Gate> self, value) if core_of(self).special else value
    return answer(self, s, look, call)


cdef int read_now(Table table, Look* look) except -1:
    look.now = table.read_clock()
    return 0


cdef inline void fill_pattern(
    Call* call, Py_ssize_t n, Py_ssize_t named, bint typed, PyObject** items
) noexcept:
    cdef Py_ssize_t j, k = n
    memcpy(items, call.args, n * sizeof(void*))
    if named:
        items[k] = <PyObject*> THE_MARK
        k += 1
        for j in range(named):
            items[k] = PyTuple_GET_ITEM(call.kwnames, j)
            items[k + 1] = call.args[n + j]
            k += 2
    if typed:
        for j in range(n + named):
            items[k] = <PyObject*> Py_TYPE(call.args[j])
            k += 1


cdef PyObject* answer(PyObject* self, Store* s, Look* look, Call* call) noexcept:
    """The whole look-up, by the keys' own `__eq__`; then the value, or the way of a miss."""
    cdef PyObject* value
    cdef Entry* e
    cdef uint32_t i
    seize(s)
    i = locate(s, look)
    if i == NONE or i == ERROR:
        return miss(<Gate> self, s, look, call, i)
    e = at(s, i)
    if s.detour & WATCHFUL:
        if look.now == UNREAD:
            look.now = tc_now()
        if not is_fresh(s, e, look.now):
            return miss(<Gate> self, s, look, call, i)
    s.reader.hits += 1
    use(s, i, look.now)
    value = at(s, i).value
    tc_own(value)
    let_go(s)
    return (<quietly_dress> dress)(<Gate> self, value) if core_of(self).special else value


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
    cdef Table table = <Table> s.table
    cdef FlightLink* flight = NULL
    cdef PyObject* result
    cdef uint64_t absent = UINT64_MAX
    cdef bint grounding = gate.plan is not None or gate.key is not None     # functools doesn't
    if i == ERROR:
        let_go(s)
        return NULL
    s.misses += 1
    if i == NONE:
        absent = s.changes
    if i != NONE and is_dead(s, at(s, i), look.now):
        table.drop_entry(i, EXPIRED)
    else:
        let_go(s)
    if s.weak and (<quietly_read> adopt_first)(table, look) < 0:
        return (<quietly_answer> refuse)(gate, call)
    if gate.on_miss is not None:
        return (<quietly_load> ask_hook)(gate, look, call)
    if grounding:
        tc_acquire(&s.lock)
        flight = start_flight(s, look.hash)
        tc_release(&s.lock)
        if flight == NULL:
            return PyErr_NoMemory()
    result = call_function(gate.core.function, call)
    if result != NULL and (<quietly_keep> keep)(
        gate, table, look, call, result, flight, absent
    ) < 0:
        tc_drop(result)
        result = NULL
    if grounding:
        tc_acquire(&s.lock)
        end_flight(s, flight)
        tc_release(&s.lock)
    return result


cdef PyObject* call_function(PyObject* function, Call* call) noexcept:
    cdef PyObject* result
    if Py_EnterRecursiveCall(b" in a cached function"):
        return NULL
    result = PyObject_Vectorcall(function, call.args, call.nargsf, call.kwnames)
    Py_LeaveRecursiveCall()
    return result


cdef int adopt_first(Table table, Look* look) except -1:
    table.adopt(<object> look.items[0])
    return 0


cdef PyObject* ask_hook(Gate gate, Look* look, Call* call) except NULL:
    key = <object> look.items[0] if look.lone else tuple_of(look.items, look.n)
    result = gate.on_miss(gate, key, args_of(call), kwargs_of(call))
    tc_own(<PyObject*> result)
    return <PyObject*> result


cdef int keep(
    Gate gate, Table table, Look* look, Call* call, PyObject* value, FlightLink* flight,
    uint64_t absent,
) except -1:
    """Stores a result if the options want it and nothing has grounded its flight."""
    cdef int64_t lasts = table.fresh_for, weight = 1
    if gate.decide is not None:
        ttl = gate.decide(<object> value, args_of(call), kwargs_of(call))
        lasts = lasts_for(table, ttl)
        if lasts < 0:
            return 0
    if gate.weigh is not None:
        weight = as_int64(gate.weigh(<object> value, args_of(call), kwargs_of(call)))
    if gate.copier is None:
        write(table, look, value, lasts, weight, False, absent, flight, NULL)
        return 0
    stored = gate.copier(<object> value)
    write(table, look, <PyObject*> stored, lasts, weight, False, absent, flight, NULL)
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
