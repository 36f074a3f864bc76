// What Swift cannot import of System V IPC, and nothing else.
#ifndef CSYSV_H
#define CSYSV_H

#include <poll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/types.h>
#include <time.h>

// <sys/sem.h> leaves this union to the caller, so there is nothing to import.
union csysv_semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

// semctl is variadic; Swift imports no variadic function.
int csysv_semctl(int semid, int semnum, int cmd, union csysv_semun arg);

// Declared for _GNU_SOURCE only, without which Swift imports libc: the next three.
int csysv_semtimedop(int semid, struct sembuf *sops, size_t nsops, const struct timespec *timeout);
const char *csysv_strerrorname_np(int err);
enum { csysv_ipc_info = 3 };

// glibc has pidfd_open only since 2.36, in a header that the Glibc module leaves out.
int csysv_pidfd_open(pid_t pid, unsigned int flags);

// glibc has a declaration only since 2.36; syscall is variadic.
int csysv_pidfd_send_signal(int pidfd, int sig);

// glibc has these two only since 2.35.
enum {
    csysv_madv_populate_read = 22,
    csysv_madv_populate_write = 23,
};

#endif
