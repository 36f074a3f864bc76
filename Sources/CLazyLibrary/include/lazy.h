// Libraries that are loaded when the first of their functions is called: most commands call none, and loading GnuTLS
// and what it needs takes a quarter of the time that a command takes.
#ifndef LEASEHOLD_LAZY_H
#define LEASEHOLD_LAZY_H

#include <stdatomic.h>
#include <stddef.h>

// Finds a function of a library, and remembers it in the slot. Ends the process with a line where there is none.
void *leasehold_lazy_find(const char *library, _Atomic(void *) *slot, const char *name);

static inline void *leasehold_lazy(const char *library, _Atomic(void *) *slot, const char *name) {
    void *function = atomic_load_explicit(slot, memory_order_acquire);
    return function != NULL ? function : leasehold_lazy_find(library, slot, name);
}

// Defines a function that calls the library's of this name. Others who are linked with the library do not see it.
#define LEASEHOLD_LAZY(library, result, name, parameters, arguments)                                    \
    __attribute__((visibility("hidden"))) result name parameters {                                      \
        static _Atomic(void *) slot;                                                                    \
        return ((__typeof__(&name))leasehold_lazy(library, &slot, #name))arguments;                     \
    }

#endif
