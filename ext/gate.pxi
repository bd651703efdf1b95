# Gate: the callable object, and how it is configured.

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
    size_t span                     # … up to this many more are, as they stand, what a key is of
    Store* store
    bint plain                      # keys of fixed width, nothing held weakly
    bint lone                       # functools' rule for one int or str
    bint typed                      # the arguments' types follow them in the key
    bint special                    # hits pass a copier or are awaited
    int shapes
    PyObject* function
    Shape* shape[SHAPES]            # `shapes` of them, the others NULL
    Shape* outlived


cdef dict known_gates = {}      # address → weak reference, in the order of being made


def gates():
    """Every live Gate that has been initialised, in that order; keeps nothing alive."""
    cdef list found = []
    cdef PyObject* gate
    for reference in list(known_gates.values()):
        gate = tc_strong(<PyObject*> reference)
        if gate != NULL:
            found.append(<object> gate)
            tc_drop(gate)
    return found


cdef list hooks_known = []      # for good: without the GIL a call may be about to ask an older one


def detour(hook):
    """Has `hook(gate, args, kwargs)` answer all calls of all gates. See `_core_py.gate`."""
    global hook_asked
    if hook is not None and not any([hook is known for known in hooks_known]):
        hooks_known.append(hook)
    tc_publish_pointer(<void**> &hook_asked, NULL if hook is None else <void*> <PyObject*> hook)
    for gate in gates():
        (<Table> (<Gate> gate).table).look_where()


# Where there is no GIL a fork may come while a thread holds a table's lock or, having waited for it
# asleep, has just been given it. The child doesn't have that thread. No Store is half changed then:
# a fork stops all threads where they might as well be collected, or wait.

def _unlock_all():
    for gate in gates():
        break_locks(&(<Table> (<Gate> gate).table).store)


if FREE_THREADED:
    import os as _os

    if hasattr(_os, "register_at_fork"):
        _os.register_at_fork(after_in_child=_unlock_all)


@cython.no_gc_clear
cdef class Gate:
    """The callable that stands in for a function. See `_core_py.Gate`."""

    cdef GateCore core
    cdef readonly object function
    cdef readonly Table table
    cdef object __weakref__
    cdef object key, copier, decide, weigh, on_miss, on_key_error
    cdef bint typed, awaitable
    cdef object plan
    cdef list outlived              # what earlier configurations owned

    def __cinit__(self):
        self.core.call = <vectorcallfunc> &gate_unready

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
        weigh=None,
        on_miss=None,
        on_key_error=None,
    ):
        cdef GateCore* core = &self.core
        cdef Py_ssize_t least = -1, span = 0, exact = table.exact, most
        # As in the pure core; an empty range is spelled -1.
        if key is not None:
            if exact >= 0 and exact != 1:
                raise misfit(1, exact)
        elif plan is None:
            if exact >= 0 or table.store.weak:
                raise ValueError("a gate without a plan needs a table of no width and not weak")
            least, span = 0, PY_SSIZE_T_MAX
        else:
            least = plan.least
            most = plan.most
            if least > most or (table.store.weak and least == 0):
                least = -1
            elif exact >= 0 and (least + least * typed != exact or most != least):
                raise misfit(least + least * typed, exact)
            else:
                span = most - least
        # From here on nothing runs code of others, or fails half-way.
        # A call in flight may still use what an earlier configuration owned.
        if core.function == NULL:
            tc_count_later(<PyObject*> self, <PyObject*> function)
            known_gates[<size_t> <PyObject*> self] = PyWeakref_NewRef(self, None)
        else:
            if self.outlived is None:
                self.outlived = []
            self.outlived.append((self.function, self.table, self.key, self.copier, self.decide,
                                  self.weigh, self.on_miss, self.on_key_error))
        self.function = function
        self.table = table
        self.key = key
        self.copier = copier
        self.decide = decide
        self.weigh = weigh
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
        core.typed = typed and key is None
        while core.shapes:
            core.shapes -= 1
            core.shape[core.shapes].older = core.outlived
            core.outlived = core.shape[core.shapes]
            core.shape[core.shapes] = NULL
        core.least, core.span = least, span
        core.call = entry_for(core, plan is None)
        table.look_where()      # there may be a detour, and by now it would find the table, too

    def __dealloc__(self):
        cdef Shape* shape
        if self.core.function != NULL and known_gates is not None:
            known_gates.pop(<size_t> <PyObject*> self, None)
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
        return self if instance is None else PyMethod_New(self, instance)

    def bind(self, tuple args not None, dict kwargs not None):
        cdef Py_ssize_t n = len(args), j
        cdef tuple names = tuple(kwargs)
        cdef tuple given = args + tuple(kwargs.values())
        cdef Shape* shape
        cdef PyObject** items
        self.check_ready()
        if self.key is not None:
            return (self.key(*args, **kwargs),)
        if self.plan is None:
            if self.core.lone and n == 1 and not kwargs and type(args[0]) in (int, str):
                return args[0]
            return self.pattern(given, n, names)
        if not names and <size_t> (n - self.core.least) <= self.core.span:
            return args + tuple(map(type, args)) if self.typed else args
        shape = find_shape(&self.core, n, <PyObject*> names if names else NULL)
        if shape == NULL:
            # Not remembered: `names` isn't the tuple that calls will bring.
            shape = shape_for(self, n, <PyObject*> names if names else NULL, False)
            if shape == NULL:
                return None
        items = tc_room(shape.n)
        try:
            if items == NULL:
                raise MemoryError
            fill(shape, items_of(<PyObject*> given), items)
            return tuple_of(items, shape.n)
        finally:
            tc_vacate(items, shape.n)
            forget_shape(shape)

    cdef int check_ready(self) except -1:
        if self.core.store == NULL:
            raise RuntimeError("this Gate has not been initialised")
        return 0

    cdef tuple pattern(self, tuple given, Py_ssize_t n, tuple names):
        cdef list key = list(given[:n])
        if names:
            key.append(THE_MARK)
            for pair in zip(names, given[n:]):
                key += pair
        if self.typed:
            key += map(type, given)
        return tuple(key)

    def answer(self, tuple args not None, dict kwargs not None):
        cdef Look look
        cdef Call call
        cdef PyObject* value
        cdef tuple given = args + tuple(kwargs.values())
        cdef tuple names = tuple(kwargs)
        cdef Table table
        self.check_ready()
        table = self.table
        call.args = items_of(<PyObject*> given)
        call.nargsf = len(args)
        call.kwnames = <PyObject*> names if names else NULL
        # What it learns is not remembered: `names` isn't the tuple that calls will bring.
        value = answer_straight(<PyObject*> self, &table.store, &look, &call, False)
        if value == NULL:
            raise_again()
        result = <object> value
        tc_drop(value)
        return result

    def through(self, key, tuple args not None, dict kwargs not None):
        cdef Look look
        cdef Call call
        cdef PyObject* value
        cdef tuple given = args + tuple(kwargs.values())
        cdef tuple names = tuple(kwargs)
        cdef Table table
        self.check_ready()
        table = self.table
        table.check(key)
        call.args = items_of(<PyObject*> given)
        call.nargsf = len(args)
        call.kwnames = <PyObject*> names if names else NULL
        view(&table.store, key, &look)
        look.now = table.read_clock() if table.store.detour & WATCHFUL else UNREAD
        value = hash_and_answer(<PyObject*> self, &table.store, &look, &call)
        if value == NULL:
            raise_again()
        result = <object> value
        tc_drop(value)
        return result


cdef int gate_traverse(PyObject* self, visitproc visit, void* arg) noexcept:
    cdef GateCore* core = &(<Gate> self).core
    cdef Shape* shape = core.outlived
    cdef int found = base_of_gate(self, visit, arg)
    cdef int i
    for i in range(core.shapes):
        if found:
            return found
        found = visit_shape(core.shape[i], visit, arg)
    while shape != NULL and not found:
        found = visit_shape(shape, visit, arg)
        shape = shape.older
    return found


cdef inline int visit_shape(Shape* shape, visitproc visit, void* arg) noexcept:
    cdef int found = tc_visit(shape.constants, visit, arg)
    return found if found or shape.kwnames == NULL else tc_visit(shape.kwnames, visit, arg)
