#define _GNU_SOURCE
#include "csupervise.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// No more than what may be called between fork and exec: the process that we were forked from has threads.

enum { answer_ms = 2000, attempts = 6, pause_ms = 200, refusals_enough = 2, id_length = 32 };

static int try_address(const struct address *address, const char *request, size_t count, char *answer, size_t room) {
    int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    struct timeval limit = {.tv_sec = answer_ms / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t got = 0, sent = 0;
    if (connect(fd, (const struct sockaddr *)&address->name, address->length) == 0) {
        ssize_t step;
        while (sent < count && (step = send(fd, request + sent, count - sent, MSG_NOSIGNAL)) > 0) sent += (size_t)step;
        while (sent == count && got < room - 1 && (step = recv(fd, answer + got, room - 1 - got, 0)) > 0)
            got += (size_t)step;
    }
    close(fd);
    answer[got] = 0;
    return got > 0;
}

// The answer to a request that closes its connection; 0 when nobody answers.
static int exchange(const struct shared *shared, const char *request, size_t count, char *answer, size_t room) {
    for (size_t index = 0; index < shared->address_count; index++)
        if (try_address(&shared->addresses[index], request, count, answer, room)) return 1;
    return 0;
}

static void release(const struct shared *shared, char *answer, size_t room) {
    for (int attempt = 0; attempt < attempts; attempt++) {
        if (exchange(shared, shared->text + shared->room, shared->release_count, answer, room)) return;
        poll(NULL, 0, pause_ms);
    }
}

// Puts the id of a granted lease into `release`, where there are zeros; 0 when the answer is no grant.
static int take_id(struct shared *shared, const char *answer) {
    static const char member[] = "\"lease\":\"", path[] = "/leases/";
    if (strncmp(answer, "HTTP/1.1 20", 11) != 0) return 0;
    const char *id = strstr(answer, member);
    char *place = memmem(shared->text + shared->room, shared->release_count, path, sizeof path - 1);
    if (id == NULL || place == NULL || strlen(id += sizeof member - 1) < id_length) return 0;
    memcpy(place + sizeof path - 1, id, id_length);
    return 1;
}

// TLS is too much for a process that was forked off among threads, but a new program may do what it likes.
static int run(const struct csupervise_program *program, const char *text, size_t count) {
    int null, ends[2], status;
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null < STDERR_FILENO) {}
    if (pipe2(ends, O_CLOEXEC) != 0) return 0;
    int written = write(ends[1], text, count) == (ssize_t)count;
    close(ends[1]);
    pid_t child = written ? fork() : -1;
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(ends[0], STDIN_FILENO);
        execve("/proc/self/exe", program->argv, program->envp);
        _exit(127);
    }
    close(ends[0]);
    if (child < 0) return 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 0;
    // 69 is a service that could not be reached; of all else there is no use in asking again.
    return !WIFEXITED(status) || WEXITSTATUS(status) != 69;
}

void csupervise_give_back(struct shared *shared, const struct csupervise_program *program) {
    static char answer[8192];
    if (program != NULL) {
        if (atomic_load(&shared->claim) != claims_held) return;
        for (int attempt = 0; attempt < attempts; attempt++) {
            if (run(program, shared->text + shared->room, shared->release_count)) return;
            poll(NULL, 0, pause_ms);
        }
        return;
    }
    int claim = atomic_load(&shared->claim), refusals = 0;
    if (claim == claims_held) release(shared, answer, sizeof answer);
    if (claim != claims_asked) return;
    // The same question once more: its answer is the lease if there is one. If not, the first request may still be on
    // its way to a thread of the service; asking a second time, after a pause, makes that good.
    for (int attempt = 0; attempt < attempts && refusals < refusals_enough; attempt++) {
        if (attempt > 0) poll(NULL, 0, pause_ms);
        if (!exchange(shared, shared->text, shared->ask_count, answer, sizeof answer)) continue;
        if (take_id(shared, answer)) {
            release(shared, answer, sizeof answer);
            return;
        }
        refusals++;
    }
}
