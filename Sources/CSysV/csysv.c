#define _GNU_SOURCE
#include "csysv.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
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

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int csysv_getsockopt_peerpidfd(int sockfd)
{
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    return getsockopt(sockfd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0 ? pidfd : -1;
}

uint64_t csysv_pidfd_inode(int pidfd)
{
    enum { pidfs = 0x50494446 };
    struct statfs system;
    struct stat status;
    if (fstatfs(pidfd, &system) != 0 || system.f_type != pidfs || fstat(pidfd, &status) != 0) {
        return 0;
    }
    return status.st_ino;
}

_Static_assert(csysv_o_path == O_PATH, "O_PATH");

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* <linux/openat2.h> is younger than some of the systems that this is built on. */
int csysv_openat2_beneath(int folder, const char *path, int flags, mode_t mode)
{
    enum { resolve_no_magiclinks = 0x02, resolve_beneath = 0x08 };
    struct {
        uint64_t flags, mode, resolve;
    } how = {(uint64_t)flags, mode, resolve_beneath | resolve_no_magiclinks};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* fgetxattr refuses a descriptor that only names. */
ssize_t csysv_getxattr_posix_acl(int fd, void *value, size_t size)
{
    char path[sizeof "/proc/self/fd/-2147483648"];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return getxattr(path, "system.posix_acl_access", value, size);
}

int csysv_setfsuid(uid_t uid)
{
    return setfsuid(uid);
}

int csysv_setfsgid(gid_t gid)
{
    return setfsgid(gid);
}

int csysv_setgroups(size_t count, const gid_t *groups)
{
    return (int)syscall(SYS_setgroups, count, groups);
}
