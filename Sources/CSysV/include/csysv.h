// What Swift cannot import of System V IPC, and nothing else.
#ifndef CSYSV_H
#define CSYSV_H

#include <poll.h>
#include <stdint.h>
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

// The pidfd of the process that made a connection (Linux 6.5, SO_PEERPIDFD), or -1.
int csysv_getsockopt_peerpidfd(int sockfd);

// The inode of a pidfd where that names its process (pidfs, Linux 6.9), else 0.
uint64_t csysv_pidfd_inode(int pidfd);

// Opens what lies beneath a folder: links and ".." that lead out of it are EXDEV. glibc has no wrapper (Linux 5.6).
int csysv_openat2_beneath(int folder, const char *path, int flags, mode_t mode);

// The rights that the calling thread alone has for files; glibc's setgroups changes every thread.
int csysv_setfsuid(uid_t uid);
int csysv_setfsgid(gid_t gid);
int csysv_setgroups(size_t count, const gid_t *groups);

// The Glibc module leaves it out: a descriptor that names a file and opens nothing.
enum { csysv_o_path = 010000000 };

// The access control list of a file that a descriptor names (O_PATH), as the kernel keeps it: its bytes, or -1.
ssize_t csysv_getxattr_posix_acl(int fd, void *value, size_t size);

// glibc has these two only since 2.35.
enum {
    csysv_madv_populate_read = 22,
    csysv_madv_populate_write = 23,
};

#endif
