// What `leasehold run` needs between fork and exec, and in a signal handler: places where Swift may not run.
#ifndef CSUPERVISE_H
#define CSUPERVISE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <termios.h>

// Makes a handler for each signal write its number, one byte, into a pipe. Signals that are ignored stay so.
// Returns the end to read, or -1 with errno. Once a process.
int csupervise_catch(const int *signals, int count);

// Whatever ends this process from now on gives the terminal back first: its settings to `input` (-1: none), and `text`,
// which is copied, to `output`. Once a process.
void csupervise_keep_screen(int input, const struct termios *before, int output, const char *text);

// Stops this process group as SIGTSTP does by default; returns when it is continued, or at once where nobody could.
void csupervise_stop_self(void);

struct csupervise_guard;

// This very program, run with these arguments, to give a lease back where that takes more than a socket: TLS.
struct csupervise_program {
    char *const *argv;
    char *const *envp;
};

// Starts a process that watches this one, before there is anything to watch. When this one dies without having called
// csupervise_guard_done, it kills the command's group, waits until it is gone, and gives back the lease that is held,
// or that may have been granted. When the deadline passes it kills the group. `room` is the longest request it may be
// told. With a program (NULL: none) that is run, with what `release` is as its standard input; asking again is not for
// it. Returns NULL with errno.
struct csupervise_guard *csupervise_guard_start(size_t room, const struct csupervise_program *program);

enum csupervise_guard_state { csupervise_guard_watches, csupervise_guard_replaced, csupervise_guard_missing };

// Whether the guard is there still. One that has died is replaced: the new one knows what the old one knew.
enum csupervise_guard_state csupervise_guard_look(struct csupervise_guard *guard);

// Tells where the service is; up to four addresses, tried in this order.
void csupervise_guard_address(struct csupervise_guard *guard, const struct sockaddr *name, socklen_t length);

// A lease is about to be asked for. `ask` is the same request once more: what it answers is the lease. `release` is
// DELETE /leases/ID, with zeros for the id.
void csupervise_guard_asks(struct csupervise_guard *guard, const void *ask, size_t ask_count, const void *release,
                           size_t release_count);

// A lease was granted: `release` gives it back.
void csupervise_guard_holds(struct csupervise_guard *guard, const void *release, size_t release_count);

// The command's process group; 0 when it has ended, before its number may be another's.
void csupervise_guard_group(struct csupervise_guard *guard, pid_t group);

// Moves the deadline (CLOCK_MONOTONIC, 0: none); any thread.
void csupervise_guard_deadline(struct csupervise_guard *guard, int64_t deadline_ns);

// Ends the watch.
void csupervise_guard_done(struct csupervise_guard *guard);

// Starts argv[0], found as a shell finds it, in a process group of its own, which gets the terminal (-1: none).
// It is killed when the calling thread ends; the guard (NULL: none) knows the group before the command runs. Returns 0,
// or the errno of fork or exec.
int csupervise_spawn(char *const argv[], char *const envp[], int terminal, struct csupervise_guard *guard, pid_t *pid);

// Replaces this process; returns the errno.
int csupervise_exec(char *const argv[], char *const envp[]);

// Starts this very program once more, as a service: in a session of its own, in /, with no descriptor but /dev/null and
// `log`, which takes `log_max` bytes at most. Returns the number of a process beside it, which ends with its status, or
// with this process, or when it is killed: the service goes on. -1 with errno.
pid_t csupervise_detach(char *const argv[], char *const envp[], int log, size_t log_max);

// Makes `group` the terminal's foreground group, also from the background. Returns 0 or an errno.
int csupervise_give_terminal(int terminal, pid_t group);

#endif
