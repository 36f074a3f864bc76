#define _GNU_SOURCE
#include "csupervise.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { gone_ms = 5000 };
// A byte that wakes the guard up.
enum { word_look };

struct csupervise_guard {
    struct shared *shared;
    struct csupervise_program program; // without argv: none
    int end; // of the pipe whose other end the guard reads; keeps its number
    pid_t pid;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whatever is open here would keep the readers of the caller's pipes waiting.
static void close_all_but(int kept) {
    int below = kept == 0 || close_range(0, (unsigned)kept - 1, 0) == 0;
    if (below && close_range((unsigned)kept + 1, ~0U, 0) == 0) return;
    long last = sysconf(_SC_OPEN_MAX);
    if (last < 0 || last > 65536) last = 65536;
    for (int fd = 0; fd < last; fd++)
        if (fd != kept) close(fd);
}

// Whether nothing of the group runs any more, after some time at most.
static int is_gone(pid_t group) {
    int64_t end = now_ns() + (int64_t)gone_ms * 1000000;
    do {
        if (csupervise_group_is_dead(group)) return 1;
        poll(NULL, 0, 1);
    } while (now_ns() < end);
    return 0;
}

static void watch(int end, struct shared *shared, const struct csupervise_program *program) {
    for (;;) {
        int64_t deadline = atomic_load(&shared->deadline_ns), left_ms = 1000;
        pid_t group = atomic_load(&shared->group);
        if (deadline != 0) {
            int64_t left = deadline - now_ns();
            if (left <= 0 && group > 0) kill(-group, SIGKILL);
            else if (left > 0 && left < 1000000000) left_ms = (left + 999999) / 1000000;
        }
        struct pollfd entry = {.fd = end, .events = POLLIN};
        int ready = poll(&entry, 1, (int)left_ms);
        if (ready <= 0) continue;
        char byte;
        if (read(end, &byte, 1) != 0) continue;
        // The pipe is closed: nobody is left who would renew, and nobody who is about to become the command, as it has
        // the pipe open until then. First the command, then the lease.
        group = atomic_load(&shared->group);
        if (group <= 0 || is_gone(group)) csupervise_give_back(shared, program);
        _exit(0);
    }
}

// Starts the process; what is watched is told through the pipe that comes to stand at `end`.
static int begin(struct csupervise_guard *guard) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return 0;
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        prctl(PR_SET_NAME, "leasehold-guard");
        close_all_but(ends[0]);
        watch(ends[0], guard->shared, guard->program.argv == NULL ? NULL : &guard->program);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    close(ends[0]);
    // A thread that renews may be writing to it: the number stays, and what it means changes in one step.
    if (child > 0 && guard->end >= 0) dup3(ends[1], guard->end, O_CLOEXEC);
    if (child > 0 && guard->end < 0) guard->end = ends[1];
    if (guard->end != ends[1]) close(ends[1]);
    guard->pid = child > 0 ? child : 0;
    return child > 0;
}

struct csupervise_guard *csupervise_guard_start(size_t room, const struct csupervise_program *program) {
    struct csupervise_guard *guard = malloc(sizeof *guard);
    size_t size = sizeof(struct shared) + 2 * room;
    struct shared *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guard == NULL || shared == MAP_FAILED) return NULL;
    shared->room = room;
    *guard = (struct csupervise_guard){.shared = shared, .end = -1};
    if (program != NULL) guard->program = *program;
    return begin(guard) ? guard : NULL;
}

enum csupervise_guard_state csupervise_guard_look(struct csupervise_guard *guard) {
    if (guard->pid > 0) {
        pid_t ended = waitpid(guard->pid, NULL, WNOHANG);
        if (ended == 0 || (ended < 0 && errno != ECHILD)) return csupervise_guard_watches;
    }
    return begin(guard) ? csupervise_guard_replaced : csupervise_guard_missing;
}

void csupervise_guard_address(struct csupervise_guard *guard, const struct sockaddr *name, socklen_t length) {
    struct shared *shared = guard->shared;
    if (shared->address_count == addresses_max || length > sizeof(struct sockaddr_storage)) return;
    struct address *address = &shared->addresses[shared->address_count];
    memcpy(&address->name, name, length);
    address->length = length;
    shared->address_count++;
}

void csupervise_guard_asks(struct csupervise_guard *guard, const void *ask, size_t ask_count, const void *release,
                           size_t release_count) {
    struct shared *shared = guard->shared;
    atomic_store(&shared->claim, claims_nothing);
    if (ask_count > shared->room || release_count > shared->room) return;
    memcpy(shared->text, ask, ask_count);
    memcpy(shared->text + shared->room, release, release_count);
    shared->ask_count = ask_count;
    shared->release_count = release_count;
    atomic_store(&shared->claim, claims_asked);
}

void csupervise_guard_holds(struct csupervise_guard *guard, const void *release, size_t release_count) {
    struct shared *shared = guard->shared;
    if (release_count > shared->room) return;
    // Until the last byte is there, asking again is what finds the lease; it writes the same bytes.
    memcpy(shared->text + shared->room, release, release_count);
    shared->release_count = release_count;
    atomic_store(&shared->claim, claims_held);
}

void csupervise_guard_group(struct csupervise_guard *guard, pid_t group) {
    atomic_store(&guard->shared->group, group);
}

void csupervise_guard_deadline(struct csupervise_guard *guard, int64_t deadline_ns) {
    // The first one may be nearer than when the guard would look again.
    char byte = word_look;
    if (atomic_exchange(&guard->shared->deadline_ns, deadline_ns) == 0) (void)!write(guard->end, &byte, 1);
}

void csupervise_guard_done(struct csupervise_guard *guard) {
    // It has nothing to do any more, and need not be awake to learn it: a signal may have stopped it.
    if (guard->pid > 0) {
        // Where it may not be ended it ends by itself, once the pipe is closed.
        if (kill(guard->pid, SIGKILL) == 0)
            while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(guard->end);
    // Its memory stays: a thread that renews may write the deadline still.
}
