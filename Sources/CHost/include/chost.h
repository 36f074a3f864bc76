#ifndef LEASEHOLD_CHOST_H
#define LEASEHOLD_CHOST_H
#include <stdint.h>

// What Swift's Glibc module leaves out: epoll, eventfd, and prctl, which is variadic. No type of glibc's is here, as
// Swift would take it for one of this module.

// Each descriptor is reported once, as its token: when it can be read or written, or ends, or only when its peer hangs
// up; one that changes until it is read again.
enum chost_interest { CHOST_READING, CHOST_WRITING, CHOST_HANGUP, CHOST_CHANGES };
int chost_epoll_create(void);
int chost_epoll_add(int epoll, int descriptor, enum chost_interest interest, uint64_t token);
int chost_epoll_remove(int epoll, int descriptor);
int chost_epoll_wait(int epoll, uint64_t *tokens, int tokens_max, int milliseconds);

// An eventfd in an epoll set, where it is reported each time as UINT64_MAX, until it is cleared; or -1.
int chost_wakeup_create(int epoll);
void chost_wakeup_ring(int wakeup);
void chost_wakeup_clear(int wakeup);

// Names the calling thread, for `ps -L`: 15 bytes at most.
void chost_name_thread(const char *name);

// Unmaps the pages of code and constants that start-up has read, and trims the heap. The kernel keeps the files' pages
// and maps again what is used. Objects whose code the loader wrote to are left alone.
void chost_forget_start(void);

#endif
