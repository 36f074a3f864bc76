#define _GNU_SOURCE
#include "cearlyanswer.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One pointer for each descriptor; pages that are never touched cost nothing. */
static _Atomic(struct leasehold_rest *) marks[leasehold_early_descriptors];
static struct leasehold_rest nothing;

static struct leasehold_rest *mark_of(int descriptor)
{
    if (descriptor < 0 || descriptor >= leasehold_early_descriptors) { return NULL; }
    return atomic_load_explicit(&marks[descriptor], memory_order_relaxed);
}

/* True when there is no more of it. */
static bool send_rest(int descriptor, struct leasehold_rest *rest)
{
    if (rest->count == 0) { return true; }
    ssize_t sent = send(descriptor, rest->bytes, rest->count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) { return false; }
    rest->bytes += sent;
    rest->count -= (size_t)sent;
    errno = EAGAIN;
    return rest->count == 0;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    struct leasehold_rest *rest = mark_of(descriptor);
    if (rest == NULL) { return syscall(SYS_sendmsg, descriptor, message, flags); }
    if (!send_rest(descriptor, rest)) { return -1; }
    leasehold_early_unmark(descriptor);
    size_t total = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) { total += message->msg_iov[i].iov_len; }
    return (ssize_t)total;
}

bool leasehold_early_works(void)
{
    return dlsym(RTLD_DEFAULT, "sendmsg") == (void *)&sendmsg;
}

bool leasehold_early_mark(int descriptor, struct leasehold_rest *rest)
{
    if (descriptor < 0 || descriptor >= leasehold_early_descriptors) { return false; }
    atomic_store_explicit(&marks[descriptor], rest != NULL ? rest : &nothing, memory_order_relaxed);
    return true;
}

void leasehold_early_unmark(int descriptor)
{
    if (descriptor >= 0 && descriptor < leasehold_early_descriptors) {
        atomic_store_explicit(&marks[descriptor], NULL, memory_order_relaxed);
    }
}
