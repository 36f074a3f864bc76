#define _GNU_SOURCE
#include "cearlyanswer.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One flag for each descriptor; pages that are never touched cost nothing. */
enum { DESCRIPTORS = 1 << 20 };
static atomic_uchar marked[DESCRIPTORS];

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS &&
        atomic_load_explicit(&marked[descriptor], memory_order_relaxed)) {
        atomic_store_explicit(&marked[descriptor], 0, memory_order_relaxed);
        size_t total = 0;
        for (size_t i = 0; i < message->msg_iovlen; i++) { total += message->msg_iov[i].iov_len; }
        return (ssize_t)total;
    }
    return syscall(SYS_sendmsg, descriptor, message, flags);
}

bool leasehold_early_works(void)
{
    return dlsym(RTLD_DEFAULT, "sendmsg") == (void *)&sendmsg;
}

bool leasehold_early_mark(int descriptor)
{
    if (descriptor < 0 || descriptor >= DESCRIPTORS) { return false; }
    atomic_store_explicit(&marked[descriptor], 1, memory_order_relaxed);
    return true;
}

void leasehold_early_unmark(int descriptor)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS) {
        atomic_store_explicit(&marked[descriptor], 0, memory_order_relaxed);
    }
}
