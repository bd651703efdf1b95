# What gate.h offers, declared for Cython.

from cpython.object cimport PyObject, PyTypeObject, visitproc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "gate.h" nogil:
    ctypedef struct tc_lock:
        pass
    ctypedef int tc_latch
    bint tc_likely(bint)
    bint tc_unlikely(bint)
    void tc_prefetch(void*) noexcept
    void tc_acquire(tc_lock*) noexcept
    void tc_release(tc_lock*) noexcept
    bint tc_try_lock(tc_lock*) noexcept
    bint tc_try(tc_latch*) noexcept
    void tc_unlatch(tc_latch*) noexcept
    void tc_wait(tc_latch*, tc_lock*) noexcept
    int tc_load(int*) noexcept
    void tc_publish(int*, int) noexcept
    void* tc_load_pointer(void**) noexcept
    void tc_publish_pointer(void**, void*) noexcept
    uint8_t tc_load_byte(uint8_t*) noexcept
    void tc_store_byte(uint8_t*, uint8_t) noexcept
    void tc_store_wide(int64_t*, int64_t) noexcept
    uint32_t tc_thread_number() noexcept
    const bint FREE_THREADED "TC_FREE_THREADED"
    enum:
        TC_READERS
        TC_NOTES
    uint8_t* tc_lowest_byte(uint64_t*) noexcept
    uint32_t tc_leading_zeros(uint32_t) noexcept
    uint32_t tc_trailing_zeros(uint64_t) noexcept
    void* tc_alloca(size_t) noexcept
    PyObject** tc_room(Py_ssize_t) noexcept
    void tc_vacate(PyObject**, Py_ssize_t) noexcept
    int64_t tc_now() noexcept
    void* tc_lines_new(size_t) noexcept
    void tc_lines_free(void*) noexcept
    void* tc_zeros_new(size_t) noexcept
    void tc_zeros_done(char*, size_t) noexcept
    void tc_zeros_free(void*, size_t) noexcept

cdef extern from "gate.h":
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject**, size_t, PyObject*)
    ctypedef PyObject* (*iternextfunc)(PyObject*)
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef PySendResult (*sendfunc)(PyObject*, PyObject*, PyObject**)

    Py_hash_t tc_hash(PyObject*) noexcept
    bint tc_plain_hash(PyObject*, Py_hash_t*) noexcept
    bint tc_known_hash(PyObject*, Py_hash_t*) noexcept
    Py_hash_t tc_plain_type_hash(PyObject*) noexcept
    int tc_learn_hashes() except -1
    bint tc_instantly_same(PyObject* stored, PyObject* given) noexcept
    bint tc_plainly_same(PyObject* stored, PyObject* given) noexcept
    bint tc_simply_same(PyObject* stored, PyObject* given) noexcept
    int tc_same(PyObject* stored, PyObject* given) noexcept
    bint tc_is_gc(PyObject*) noexcept
    PyObject* tc_referent(PyObject*) noexcept
    bint tc_is_gone(PyObject*) noexcept
    PyObject* tc_strong(PyObject*) noexcept
    int tc_visit(PyObject*, visitproc, void*) noexcept
    void tc_make_callable(PyTypeObject*, PyTypeObject*, Py_ssize_t) noexcept
    void tc_make_awaitable(PyTypeObject*, iternextfunc, sendfunc) noexcept
    void tc_count_later(PyObject* gate, PyObject* function) noexcept
    int tc_add_to_type(PyTypeObject*, const char*, PyObject*) except -1
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    traverseproc tc_chain_traverse(PyTypeObject*, traverseproc) noexcept
    void tc_set_clear(PyTypeObject*, inquiry) noexcept
    void tc_forget_stop() noexcept
    void tc_raise_stop(PyObject*) noexcept
