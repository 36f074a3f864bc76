#define _GNU_SOURCE
#include "cearlyanswer.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
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

static ssize_t send_now(int descriptor, const void *bytes, size_t count, int flags)
{
    return syscall(SYS_sendto, descriptor, bytes, count, flags, NULL, 0);
}

static _Atomic(leasehold_page) page_maker;

/* A page that libmicrohttpd made of its own: none of ours is HTML with such a status. */
static bool is_own_page(const struct msghdr *message)
{
    static const char status[] = "HTTP/1.1 ", page[] = "<html><head><title>";
    if (message->msg_iovlen != 2) { return false; }
    const struct iovec *head = &message->msg_iov[0], *body = &message->msg_iov[1];
    return head->iov_len > sizeof status + 2 && body->iov_len > sizeof page
        && memcmp(body->iov_base, page, sizeof page - 1) == 0
        && memcmp(head->iov_base, status, sizeof status - 1) == 0
        && ((const char *)head->iov_base)[sizeof status - 1] >= '4';
}

/* Sends another answer in the place of such a page, after which libmicrohttpd closes the connection. */
static bool replace_page(int descriptor, const struct msghdr *message, ssize_t *result)
{
    leasehold_page make = atomic_load_explicit(&page_maker, memory_order_relaxed);
    if (make == NULL || !is_own_page(message)) { return false; }
    const struct iovec *body = &message->msg_iov[1];
    char answer[2048];
    size_t size = make(atoi((const char *)message->msg_iov[0].iov_base + 9), body->iov_base, body->iov_len, answer,
                       sizeof answer);
    if (size == 0 || size > sizeof answer) { return false; }
    ssize_t sent = send_now(descriptor, answer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* What the kernel did not take of so little is lost: nothing more can be sent there. */
    *result = sent < 0 ? sent : (ssize_t)(message->msg_iov[0].iov_len + body->iov_len);
    return true;
}

/* True when there is no more of it. */
static bool send_rest(int descriptor, struct leasehold_rest *rest)
{
    /* libmicrohttpd asks again at the next edge (EPOLLET), and there is none before the kernel has said EAGAIN. */
    while (rest->count > 0) {
        ssize_t sent = send_now(descriptor, rest->bytes, rest->count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) { continue; }
        if (sent < 0) { return false; }
        rest->bytes += sent;
        rest->count -= (size_t)sent;
    }
    return true;
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags)
{
    struct leasehold_rest *rest = mark_of(descriptor);
    if (rest == NULL) { return send_now(descriptor, bytes, count, flags); }
    if (!send_rest(descriptor, rest)) { return -1; }
    leasehold_early_unmark(descriptor);
    return (ssize_t)count;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    ssize_t result;
    return replace_page(descriptor, message, &result) ? result : syscall(SYS_sendmsg, descriptor, message, flags);
}

void leasehold_replace_pages(leasehold_page make)
{
    atomic_store_explicit(&page_maker, make, memory_order_relaxed);
}

bool leasehold_early_works(void)
{
    return dlsym(RTLD_DEFAULT, "send") == (void *)&send && dlsym(RTLD_DEFAULT, "sendmsg") == (void *)&sendmsg;
}

bool leasehold_early_mark(int descriptor, struct leasehold_rest *rest)
{
    if (descriptor < 0 || descriptor >= leasehold_early_descriptors) { return false; }
    atomic_store_explicit(&marks[descriptor], rest != NULL ? rest : &nothing, memory_order_relaxed);
    return true;
}

bool leasehold_early_unmark(int descriptor)
{
    if (mark_of(descriptor) == NULL) { return false; }
    atomic_store_explicit(&marks[descriptor], NULL, memory_order_relaxed);
    return true;
}
