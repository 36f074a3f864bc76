#define _GNU_SOURCE
#include "lazy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

void *leasehold_lazy_find(const char *library, _Atomic(void *) *slot, const char *name) {
    // Loaded again it is the same.
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    // As the loader does it: a preloaded library that has a function of this name comes first.
    void *function = handle == NULL ? NULL : dlsym(RTLD_DEFAULT, name);
    if (function == NULL) {
        const char *reason = dlerror();
        dprintf(STDERR_FILENO, "leasehold: cannot load %s: %s\n", library, reason == NULL ? name : reason);
        _exit(69); // EX_UNAVAILABLE
    }
    atomic_store_explicit(slot, function, memory_order_release);
    return function;
}
