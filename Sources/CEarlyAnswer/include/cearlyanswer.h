#ifndef LEASEHOLD_CEARLYANSWER_H
#define LEASEHOLD_CEARLYANSWER_H
#include <stdbool.h>

/*
 * Lets an answer go out before libmicrohttpd gets to it.
 *
 * libmicrohttpd 0.9.75 answers a resumed connection only after a turn of its loop, and has no call that says "answered
 * already". So a grant is written to the suspended connection's socket by whoever made it, and what libmicrohttpd
 * sends for the same request afterwards is taken as sent and dropped: this target defines sendmsg(2) for the process.
 * Every other call goes to the kernel as it is.
 */

/* Whether libmicrohttpd's sendmsg is ours: false when something else was put before it (LD_PRELOAD). */
bool leasehold_early_works(void);

/* The next sendmsg on this socket counts as done and sends nothing; false where the descriptor is too large. */
bool leasehold_early_mark(int descriptor);

/* Takes a mark back that was not used; before the descriptor may be closed. */
void leasehold_early_unmark(int descriptor);

#endif
