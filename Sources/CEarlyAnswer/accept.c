#define _GNU_SOURCE
#include "cearlyanswer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A descriptor in reserve, -1 while a thread uses it. */
static atomic_int reserve = -1;
static atomic_ullong turned_away;
/* How often none could be accepted for want of something, and what the kernel said last. */
static atomic_ullong failures;
static atomic_int failure;

static void note(int error)
{
    atomic_store_explicit(&failure, error, memory_order_relaxed);
    atomic_fetch_add_explicit(&failures, 1, memory_order_release);
}

static void make_reserve(void)
{
    int fresh = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -1;
    if (fresh >= 0 && !atomic_compare_exchange_strong(&reserve, &none, fresh)) { close(fresh); }
}

/* Accepts a connection in place of the reserve, and closes it: its peer sees at once that there is no room. */
static bool turn_away(int listening)
{
    int kept = atomic_exchange(&reserve, -1);
    if (kept < 0) { return false; }
    close(kept);
    int accepted = (int)syscall(SYS_accept4, listening, NULL, NULL, SOCK_CLOEXEC);
    if (accepted >= 0) { close(accepted); }
    make_reserve();
    return accepted >= 0;
}

int accept4(int listening, struct sockaddr *address, socklen_t *length, int flags)
{
    int accepted = (int)syscall(SYS_accept4, listening, address, length, flags);
    if (accepted >= 0) {
        if (atomic_load_explicit(&reserve, memory_order_relaxed) < 0) { make_reserve(); }
        return accepted;
    }
    int error = errno;
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: break;
    case EPERM: note(error); return -1;
    default: return -1;
    }
    /* Without a reserve they wait in the queue of the socket; the pause keeps the loop from spinning meanwhile. */
    if (turn_away(listening)) {
        atomic_fetch_add_explicit(&turned_away, 1, memory_order_relaxed);
    } else {
        note(error);
        usleep(1000);
    }
    errno = EAGAIN;
    return -1;
}

uint64_t leasehold_accept_failures(int *error)
{
    uint64_t count = atomic_load_explicit(&failures, memory_order_acquire);
    *error = atomic_load_explicit(&failure, memory_order_relaxed);
    return count;
}

uint64_t leasehold_turned_away(void)
{
    return atomic_load_explicit(&turned_away, memory_order_relaxed);
}
