#ifndef LEASEHOLD_CEARLYANSWER_H
#define LEASEHOLD_CEARLYANSWER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lets an answer go out before libmicrohttpd gets to it.
 *
 * libmicrohttpd 0.9.75 answers a resumed connection only after a turn of its loop, makes nine allocations for a handful
 * of headers, and has no call that says "answered already". So the thread that made an answer writes it to the socket,
 * and what libmicrohttpd sends for the same request afterwards is dropped: this target defines send(2) for the process,
 * and sendmsg(2) for the pages below. Every other call goes to the kernel as it is.
 */

/* Answers to sockets from this one on are left to libmicrohttpd. */
enum { leasehold_early_descriptors = 1 << 20 };

/* What the kernel did not take of an answer; the memory is the caller's. */
struct leasehold_rest {
    const char *bytes;
    size_t count;
};

/* Whether libmicrohttpd's send and sendmsg are ours: false when something else was put before it (LD_PRELOAD). */
bool leasehold_early_works(void);

/*
 * The next send on this socket sends the rest instead (NULL: there is none) and then counts as done; until the
 * kernel has taken all of it, it fails with EAGAIN. False for a descriptor that is too large.
 */
bool leasehold_early_mark(int descriptor, struct leasehold_rest *rest);

/* Takes a mark back before the descriptor can be closed; true where no send has used it. */
bool leasehold_early_unmark(int descriptor);

/*
 * Writes the answer that is sent instead of a page of libmicrohttpd's own, which it makes of what it cannot read, and
 * returns its size; 0 lets the page go out. The page is not terminated.
 */
typedef size_t (*leasehold_page)(int status, const char *page, size_t page_size, char *answer, size_t capacity);

/* From now on such pages are replaced, on sockets without TLS. */
void leasehold_replace_pages(leasehold_page make);

/*
 * Keeps a listener from going deaf: this target defines accept4(2) for the process, too.
 *
 * When the process has no descriptor left, or the kernel no memory, libmicrohttpd 0.9.75 stops accepting until one of
 * the listener's own connections closes, and they may stay open for hours. Here such a connection is accepted with a
 * descriptor that is kept in reserve, and closed; the next one has its chance. To libmicrohttpd it looks as if there
 * had been none (EAGAIN). This says how many were closed.
 */
uint64_t leasehold_turned_away(void);

/* How often nobody could be accepted, nor closed: they wait in the kernel. `error` is the last errno. */
uint64_t leasehold_accept_failures(int *error);

#endif
