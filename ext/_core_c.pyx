# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, binding=False, auto_pickle=False, freethreading_compatible=True
"""The compiled core: a translation of `_core_py.py`, which says what everything means.

How it is laid out. `store.pxd` is the memory of a table; `index`, `order`, `wheel`, `changes` and
`flights` work on it, `policies/` decide who leaves; none of them knows any Python. `keys.pxd` hashes keys and finds them, which may run the keys' own `__eq__`. The `.pxi`
files are parts of this module, in the order of the book: `owner`, `spoils`, `table`, `write`,
`ready`, `gate`, `shape`, `call`; a Gate reads its Table's Store without a call, so they are one module.
`record` stands by itself: it reads what engines store.
`gate.h` has every trick on the C API.

What holds everywhere.

- A hit is an entry point `call_…` → `hit_at_once`: no allocation, no Python frame, no clock
  unless the table is WATCHFUL.
- Python code (`__eq__`, `__hash__`, `__del__`, clocks, hooks, the collector) may run only where
  the Store is consistent and its lock free. References that leave an entry are collected in
  `spoils` and dropped last. After anything that can call back, `changes` tells whether what was
  found still stands.
- Pointers in a Store own what they point at; pointers in a GateCore are borrowed from the Gate's
  own attributes.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromObject
from cpython.object cimport PyObject, PyTypeObject, visitproc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport INT64_MAX, UINT32_MAX, UINT64_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from changes cimport *
from flights cimport *
from gate cimport *
from index cimport *
from keys cimport *
from order cimport *
from policies.fifo cimport fill_fifo
from policies.lfu cimport fill_lfu
from policies.lru cimport fill_lru
from policies.random cimport fill_random
from policies.s3fifo cimport fill_s3fifo
from policies.sieve cimport fill_sieve
from policies.tinylfu cimport fill_tinylfu
from store cimport *
from wheel cimport *

cdef extern from "Python.h":
    PyObject* PyObject_Vectorcall(PyObject*, PyObject**, size_t, PyObject*) noexcept
    object PyVectorcall_Call(object, tuple, dict)
    object PyMethod_New(object, object)
    object PyWeakref_NewRef(object, object)
    PyObject* PyObject_CallObject(PyObject*, object) noexcept
    void PyErr_WriteUnraisable(PyObject*) noexcept
    void PyErr_Fetch(PyObject**, PyObject**, PyObject**) noexcept
    void PyErr_Restore(PyObject*, PyObject*, PyObject*) noexcept
    PyObject* PyDict_GetItemWithError(PyObject*, object) noexcept
    int PyDict_Next(PyObject*, Py_ssize_t*, PyObject**, PyObject**) noexcept
    Py_ssize_t PyVectorcall_NARGS(size_t) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t) noexcept
    PyTypeObject* Py_TYPE(PyObject*) noexcept
    PyObject* PyErr_Occurred() noexcept
    const char* PyUnicode_AsUTF8AndSize(PyObject*, Py_ssize_t*) noexcept
    const Py_ssize_t PY_SSIZE_T_MAX
    void PyErr_Clear() noexcept
    bint PyErr_ExceptionMatches(object) noexcept
    int Py_EnterRecursiveCall(const char*) noexcept
    void Py_LeaveRecursiveCall() noexcept

cdef extern from *:
    ctypedef class _weakref.ReferenceType [object PyWeakReference, check_size ignore]:
        pass

ABI = 4


class _Mark:
    __slots__ = ()

    def __repr__(self):
        return "**"


MARK = _Mark()
cdef object THE_MARK = MARK
cdef traverseproc base_of_table
cdef traverseproc base_of_gate

cdef extern from *:
    """
    static void tc_reused(void)
    { PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine"); }
    static int tc_again(void) { return -1; }
    """
    void set_reused "tc_reused"() noexcept
    int raise_again "tc_again"() except -1      # lets an exception that is set go on


include "owner.pxi"
include "spoils.pxi"
include "table.pxi"
include "write.pxi"
include "ready.pxi"
include "gate.pxi"
include "shape.pxi"
include "call.pxi"
include "record.pxi"


# -- types are made ready ------------------------------------------------------------------------------

cdef Gate _specimen = Gate.__new__(Gate)
cdef Py_ssize_t call_offset = <char*> &_specimen.core.call - <char*> <PyObject*> _specimen


def _init_subclass(cls):
    tc_make_callable(<PyTypeObject*> cls, <PyTypeObject*> Gate, call_offset)


tc_learn_hashes()
tc_make_callable(<PyTypeObject*> Gate, <PyTypeObject*> Gate, call_offset)
_hook = classmethod(_init_subclass)
tc_add_to_type(<PyTypeObject*> Gate, b"__init_subclass__", <PyObject*> _hook)
tc_make_awaitable(<PyTypeObject*> Ready, &ready_next, &ready_send)
base_of_table = tc_chain_traverse(<PyTypeObject*> Table, &table_traverse)
base_of_gate = tc_chain_traverse(<PyTypeObject*> Gate, &gate_traverse)
tc_set_clear(<PyTypeObject*> Table, &table_clear)
