// A preloaded library (ld.so(8), LD_PRELOAD) that lets calls fail: the n-th call from now of one function fails with
// an errno, k times. `control.py` makes "calls.inc" of the table, compiles this, and tells it through a file that both
// have mapped which call is to fail; the counters in it say how often each function was called.
//
// Every function here takes six words and returns one, whatever the real one takes: words, pointers and the arguments
// of variadic functions travel in the same registers on x86-64 and arm64. Only calls that come from the program, with
// Swift's overlay for libc, and from libmicrohttpd are counted and can fail: what Swift's runtime, GnuTLS or libc do
// themselves when they get no memory is not ours.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// How a function says that it failed.
enum kind { minus_one, null, code, nothing_done };
// What else must happen, or which calls alone fail, so that the lie is one that the kernel could tell.
enum effect { none, closes, removes_set, removes_segment, when_adding, on_files };
enum { the_program, libmicrohttpd, modules };
enum { halved = 10000, killed_before, killed_after, frames = 24 };

// One function as called from one module; control.py knows this layout.
struct slot {
    char name[40];
    _Atomic int64_t calls, left, times, fired;
    _Atomic int32_t error, where_count;
    uint64_t where[frames];
};

struct control {
    uint64_t size, base[modules];
    struct slot slots[];
};

struct call {
    const char *name;
    enum kind kind;
    enum effect effect;
};

// calls.inc has one line for each: CALL of libc, MEMORY, which libc itself asks for early, and NUMBER by syscall(2).
static const struct call calls[] = {
#define CALL(symbol, kind, effect) {#symbol, kind, effect},
#define MEMORY(symbol, parameters, words) {#symbol, null, none},
#define NUMBER(symbol) {"syscall:" #symbol, minus_one, none},
#include "calls.inc"
};
enum { count = sizeof calls / sizeof *calls };
enum {
#define CALL(symbol, kind, effect) index_##symbol,
#define MEMORY(symbol, parameters, words) index_##symbol,
#define NUMBER(symbol) index_number_##symbol,
#include "calls.inc"
};

typedef long function(long, long, long, long, long, long);
static function *real[count];
static struct control *control;
static struct { uintptr_t from, to; } text[modules][8];
static int text_count[modules];

static int note_module(struct dl_phdr_info *info, size_t size, void *first) {
    (void)size;
    int *number = first;
    int module = (*number)++ == 0 ? the_program : -1;
    if (strstr(info->dlpi_name, "/libswiftGlibc.so")) module = the_program;
    if (strstr(info->dlpi_name, "/libmicrohttpd.so")) module = libmicrohttpd;
    if (module < 0) return 0;
    if (control->base[module] == 0) control->base[module] = info->dlpi_addr;
    for (int at = 0; at < info->dlpi_phnum; at++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[at];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || text_count[module] == 8) continue;
        int place = text_count[module]++;
        text[module][place].from = info->dlpi_addr + header->p_vaddr;
        text[module][place].to = text[module][place].from + header->p_memsz;
    }
    return 0;
}

static function *find(int index) {
    if (real[index] == NULL) real[index] = (function *)dlsym(RTLD_NEXT, calls[index].name);
    return real[index];
}

// Everything that takes memory or locks happens here, before there is a second thread.
__attribute__((constructor)) static void begin(void) {
    for (int index = 0; index < count; index++)
        if (strchr(calls[index].name, ':') == NULL) find(index);
    void *unused[2];
    backtrace(unused, 2);
    const char *path = getenv("FAULTS_FILE"), *program = getenv("FAULTS_PROGRAM");
    char self[4096] = "";
    // A command that `leasehold run` starts inherits the environment, and is left alone.
    if (path == NULL || program == NULL || readlink("/proc/self/exe", self, sizeof self - 1) <= 0) return;
    if (strcmp(self, program) != 0) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    size_t size = sizeof(struct control) + sizeof(struct slot) * count * modules;
    if (file < 0) return;
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED || ((struct control *)shared)->size != size) return;
    control = shared;
    memset(control->base, 0, sizeof control->base);
    int number = 0;
    dl_iterate_phdr(note_module, &number);
}

static int module_of(uintptr_t caller) {
    for (int module = 0; module < modules; module++)
        for (int place = 0; place < text_count[module]; place++)
            if (caller >= text[module][place].from && caller < text[module][place].to) return module;
    return -1;
}

// The errno with which this call is to fail; 0 when it is not.
static int failure(int index, long first, long second, void *caller) {
    if (control == NULL || (calls[index].effect == when_adding && second != EPOLL_CTL_ADD)) return 0;
    struct stat status;
    if (calls[index].effect == on_files && fstat((int)first, &status) == 0 && S_ISFIFO(status.st_mode)) return 0;
    int module = module_of((uintptr_t)caller);
    if (module < 0) return 0;
    struct slot *slot = &control->slots[index * modules + module];
    atomic_fetch_add_explicit(&slot->calls, 1, memory_order_relaxed);
    int error = atomic_load(&slot->error);
    if (error == 0) return 0;
    int64_t left = atomic_fetch_sub(&slot->left, 1);
    if (left > 1 || left <= 1 - atomic_load(&slot->times)) return 0;
    if (atomic_fetch_add(&slot->fired, 1) == 0) {
        void *trace[frames];
        int found = backtrace(trace, frames);
        for (int at = 0; at < found; at++) slot->where[at] = (uint64_t)trace[at] - control->base[the_program];
        atomic_store(&slot->where_count, found);
    }
    if (error == killed_before) kill(getpid(), SIGKILL);
    return error;
}

static long failed(int index, int error, long a, long b, long c, long d, long e, long f) {
    if (error == killed_after) {
        long result = find(index)(a, b, c, d, e, f);
        kill(getpid(), SIGKILL);
        return result;
    }
    if (error == halved) return real[index](a, b, c > 1 ? c / 2 : c, d, e, f);
    switch (calls[index].effect) {
    case closes: real[index](a, b, c, d, e, f); break;
    case removes_set: if (error == EIDRM) semctl((int)a, 0, IPC_RMID); break;
    case removes_segment: if (error == EIDRM) shmctl((int)a, IPC_RMID, NULL); break;
    case when_adding:
    case on_files:
    case none: break;
    }
    if (calls[index].kind == code) return error;
    errno = error;
    return calls[index].kind == null ? 0 : -1;
}

#define CALL(symbol, kind, effect)                                                                                     \
    long fault_##symbol(long a, long b, long c, long d, long e, long f) __asm__(#symbol);                              \
    long fault_##symbol(long a, long b, long c, long d, long e, long f) {                                              \
        int error = failure(index_##symbol, a, b, __builtin_return_address(0)); \
        return error ? failed(index_##symbol, error, a, b, c, d, e, f) : find(index_##symbol)(a, b, c, d, e, f);       \
    }
// Not by way of dlsym, which asks for memory itself.
#define MEMORY(symbol, parameters, words)                                                                              \
    extern void *__libc_##symbol parameters;                                                                           \
    void *fault_##symbol parameters __asm__(#symbol);                                                                  \
    void *fault_##symbol parameters {                                                                                  \
        int error = failure(index_##symbol, 0, 0, __builtin_return_address(0)); \
        if (error == 0) return __libc_##symbol words;                                                                  \
        if (error == killed_after) (void)__libc_##symbol words, kill(getpid(), SIGKILL);                               \
        errno = error;                                                                                                 \
        return NULL;                                                                                                   \
    }
#include "calls.inc"

// Calls that have no function in libc, or are made without it: told apart by their numbers.
long fault_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long fault_syscall(long number, long a, long b, long c, long d, long e, long f) {
    static long (*_Atomic next)(long, long, long, long, long, long, long);
    int error = 0;
    switch (number) {
#define NUMBER(symbol)                                                                                                 \
    case SYS_##symbol: error = failure(index_number_##symbol, 0, 0, __builtin_return_address(0)); break;
#include "calls.inc"
    default: break;
    }
    if (next == NULL) next = (long (*)(long, long, long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
    if (error == halved) return next(number, a, b, c > 1 ? c / 2 : c, d, e, f);
    if (error != 0 && error != killed_after) {
        errno = error;
        return -1;
    }
    long result = next(number, a, b, c, d, e, f);
    if (error == killed_after) kill(getpid(), SIGKILL);
    return result;
}
