// What `leasehold run` needs between fork and exec, and in a signal handler: places where Swift may not run.
#ifndef CSUPERVISE_H
#define CSUPERVISE_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

// Makes a handler for each signal write its number, one byte, into a pipe. Signals that are ignored stay so.
// Returns the end to read, or -1 with errno. Once a process.
int csupervise_catch(const int *signals, int count);

// Stops this process group as SIGTSTP does by default; returns when it is continued, or at once where nobody could.
void csupervise_stop_self(void);

// Starts argv[0], found as a shell finds it, in a process group of its own, which gets the terminal (-1: none).
// It is killed when the calling thread ends. Returns 0, or the errno of fork or exec.
int csupervise_spawn(char *const argv[], char *const envp[], int terminal, pid_t *pid);

// Replaces this process; returns the errno.
int csupervise_exec(char *const argv[], char *const envp[]);

// Makes `group` the terminal's foreground group, also from the background. Returns 0 or an errno.
int csupervise_give_terminal(int terminal, pid_t group);

struct csupervise_guard;

// What gives the lease back. With an address: `text`, as a request that is sent there. Without: this very program, run
// with `argv` and `envp` and with `text` as its standard input. All of it must stay where it is.
struct csupervise_release {
    const struct sockaddr *address;
    socklen_t length;
    char *const *argv;
    char *const *envp;
    const void *text;
    size_t count;
};

// Starts a process that watches this one. When this one dies without having called csupervise_guard_done, it kills
// the group, waits until it is gone and gives the lease back. When the deadline passes it kills the group. Returns NULL
// with errno.
struct csupervise_guard *csupervise_guard_start(pid_t group, int64_t deadline_ns,
                                                const struct csupervise_release *release);

// Moves the deadline (CLOCK_MONOTONIC, 0: none); any thread.
void csupervise_guard_deadline(struct csupervise_guard *guard, int64_t deadline_ns);

// Ends the watch.
void csupervise_guard_done(struct csupervise_guard *guard);

#endif
