#define _GNU_SOURCE
#include "csupervise.h"

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

enum { gone_ms = 5000, release_ms = 2000, attempts = 5 };

struct csupervise_guard {
    _Atomic int64_t *deadline_ns;
    int end;
    pid_t pid;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whatever is open here would keep the readers of the caller's pipes waiting.
static void close_all_but(int kept) {
    long last = sysconf(_SC_OPEN_MAX);
    if (last < 0 || last > 65536) last = 65536;
    for (int fd = 0; fd < last; fd++)
        if (fd != kept) close(fd);
}

// Whether nothing of the group is left. A member that is dead and not yet waited for still counts.
static int is_gone(pid_t group) {
    int64_t end = now_ns() + (int64_t)gone_ms * 1000000;
    do {
        if (kill(-group, SIGKILL) != 0 && errno == ESRCH) return 1;
        poll(NULL, 0, 1);
    } while (now_ns() < end);
    return 0;
}

static int send_request(const struct csupervise_release *release) {
    int fd = socket(release->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    struct timeval limit = {.tv_sec = release_ms / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char answer[256];
    int done = connect(fd, release->address, release->length) == 0 &&
               send(fd, release->text, release->count, MSG_NOSIGNAL) == (ssize_t)release->count &&
               recv(fd, answer, sizeof answer, 0) > 0;
    close(fd);
    return done;
}

// TLS is too much for a process that was forked off among threads, but a new program may do what it likes.
static int run_program(const struct csupervise_release *release) {
    int null, ends[2], status;
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null < STDERR_FILENO) {}
    if (pipe2(ends, O_CLOEXEC) != 0) return 0;
    if (write(ends[1], release->text, release->count) != (ssize_t)release->count) return 0;
    close(ends[1]);
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ends[0], STDIN_FILENO);
        execve("/proc/self/exe", release->argv, release->envp);
        _exit(127);
    }
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 0;
    // 69 is a service that could not be reached; of all else there is no use in asking again.
    return !WIFEXITED(status) || WEXITSTATUS(status) != 69;
}

static void watch(int end, pid_t group, _Atomic int64_t *deadline_ns, const struct csupervise_release *release) {
    for (;;) {
        int64_t deadline = atomic_load(deadline_ns), left_ms = 1000;
        if (deadline != 0) {
            int64_t left = deadline - now_ns();
            if (left <= 0) kill(-group, SIGKILL);
            else if (left < 1000000000) left_ms = (left + 999999) / 1000000;
        }
        struct pollfd entry = {.fd = end, .events = POLLIN};
        int ready = poll(&entry, 1, (int)left_ms);
        if (ready <= 0) continue;
        char byte;
        ssize_t count = read(end, &byte, 1);
        if (count > 0) _exit(0);
        if (count < 0) continue;
        // The pipe is closed: nobody is left who would renew. First the command, then the lease.
        if (is_gone(group))
            for (int attempt = 0; attempt < attempts; attempt++) {
                if (release->address != NULL ? send_request(release) : run_program(release)) break;
                poll(NULL, 0, 200);
            }
        _exit(0);
    }
}

struct csupervise_guard *csupervise_guard_start(pid_t group, int64_t deadline_ns,
                                                const struct csupervise_release *release) {
    struct csupervise_guard *guard = malloc(sizeof *guard);
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    if (guard == NULL || page == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) return NULL;
    guard->deadline_ns = page;
    guard->end = ends[1];
    atomic_store(guard->deadline_ns, deadline_ns);
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        prctl(PR_SET_NAME, "leasehold-guard");
        close_all_but(ends[0]);
        watch(ends[0], group, guard->deadline_ns, release);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    close(ends[0]);
    guard->pid = child;
    return child > 0 ? guard : NULL;
}

void csupervise_guard_deadline(struct csupervise_guard *guard, int64_t deadline_ns) {
    atomic_store(guard->deadline_ns, deadline_ns);
}

void csupervise_guard_done(struct csupervise_guard *guard) {
    char byte = 1;
    (void)!write(guard->end, &byte, 1);
    close(guard->end);
    // It ends at once; where nobody else reaps it would stay a zombie.
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR) {}
}
