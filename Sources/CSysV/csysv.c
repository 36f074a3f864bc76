#define _GNU_SOURCE
#include "csysv.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int csysv_semctl(int semid, int semnum, int cmd, union csysv_semun arg)
{
    return semctl(semid, semnum, cmd, arg);
}

int csysv_semtimedop(int semid, struct sembuf *sops, size_t nsops, const struct timespec *timeout)
{
    return semtimedop(semid, sops, nsops, timeout);
}

const char *csysv_strerrorname_np(int err)
{
    return strerrorname_np(err);
}

_Static_assert(csysv_ipc_info == IPC_INFO, "IPC_INFO");

int csysv_pidfd_open(pid_t pid, unsigned int flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

int csysv_pidfd_send_signal(int pidfd, int sig)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}
