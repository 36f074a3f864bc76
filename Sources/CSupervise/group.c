#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

// Whether a process of this directory of /proc is of the group, and not dead. Dead is a zombie without threads.
static int lives_in(int proc, const char *name, pid_t group) {
    char path[32], stat[1024];
    if (strlen(name) > 16) return 0;
    strcpy(path, name);
    strcat(path, "/stat");
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t count = read(fd, stat, sizeof stat - 1);
    close(fd);
    if (count <= 0) return 0;
    stat[count] = 0;
    // Behind the name, which may have any character: state ppid pgrp ... ; the 18th is the number of threads.
    char *field = strrchr(stat, ')');
    if (field == NULL || field[1] != ' ') return 0;
    char state = field[2];
    field += 3;
    long numbers[17] = {0};
    for (int index = 0; index < 17; index++) numbers[index] = strtol(field, &field, 10);
    if (numbers[1] != group) return 0;
    return !(state == 'X' || (state == 'Z' && numbers[16] <= 1));
}

// Whether the numbers in this /proc are those of our own PID namespace.
static int is_ours(int proc) {
    char self[16];
    ssize_t count = readlinkat(proc, "self", self, sizeof self - 1);
    if (count <= 0) return 0;
    self[count] = 0;
    return strtol(self, NULL, 10) == getpid();
}

int csupervise_group_is_dead(pid_t group) {
    if (kill(-group, SIGKILL) != 0 && errno == ESRCH) return 1;
    // Members that are dead stay until a process waits for them, which the first process of a container may never do.
    // Nobody who is told to die can fork any more, so one look at all of them is enough.
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0) return 0;
    static _Alignas(struct entry) char names[16384];
    int found = 0, seen = 0;
    long count = is_ours(proc) ? 1 : -1;
    while (!found && count > 0 && (count = syscall(SYS_getdents64, proc, names, sizeof names)) > 0)
        for (long at = 0; at < count && !found;) {
            const struct entry *entry = (const struct entry *)(names + at);
            at += entry->length;
            if (entry->name[0] < '0' || entry->name[0] > '9') continue;
            seen = 1;
            found = lives_in(proc, entry->name, group);
        }
    close(proc);
    return seen && !found && count == 0;
}
