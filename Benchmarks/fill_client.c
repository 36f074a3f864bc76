// Fills a server, for the memory table.
//
// --mode leases: takes --count leases and leaves them: a lock each, or --per-key to a counting lock.
// --mode waiters: sends the same request on --count connections, none of which is answered, and keeps them open until
// standard input ends. An answer is a failure. With --prime each connection has had an answer before, as in a
// client's pool: libmicrohttpd has then touched all of the connection's memory.

#define _GNU_SOURCE
#include "bench.h"
#include "dialect.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t have;
    struct session session;
    char in[2048];
};

static struct {
    struct endpoint endpoint;
    const char *query, *target;
    bool waiters, prime;
    unsigned connections, count, per_key;
    double seconds;
} options = {
    .endpoint = {.host = "127.0.0.1", .sources = 1}, .query = "ttl=1h",
    .target = "/locks/memory-wait/acquire?wait=600s",
    .connections = 16, .count = 1000, .per_key = 1, .seconds = 60,
};
static unsigned started, finished, active;
static int failure;

static void next_lease(struct connection *connection) {
    if (started == options.count) {
        close(connection->fd);
        active -= 1;
        return;
    }
    struct session *session = &connection->session;
    snprintf(session->key, sizeof session->key, "memory-%u-%u", options.per_key, started / options.per_key);
    started += 1;
    char out[1024];
    size_t length = http_dialect.write_acquire(session, out, sizeof out);
    if (!send_all(connection->fd, out, length)) { failure = FAILURE_CLOSED; }
}

static void take_lease(struct connection *connection) {
    ssize_t got = recv(connection->fd, connection->in + connection->have, sizeof connection->in - connection->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) { return; }
    if (got <= 0) {
        failure = FAILURE_CLOSED;
        return;
    }
    connection->have += (size_t)got;
    enum outcome outcome = http_dialect.read_acquire(&connection->session, connection->in, connection->have);
    if (outcome == OUTCOME_INCOMPLETE && connection->have < sizeof connection->in) { return; }
    if (outcome != OUTCOME_DONE) {
        failure = outcome == OUTCOME_INCOMPLETE ? FAILURE_MALFORMED : connection->session.status;
        return;
    }
    connection->have = 0;
    finished += 1;
    next_lease(connection);
}

static void open_connection(struct connection *connection, unsigned index, int poller) {
    connection->fd = endpoint_connect(&options.endpoint, index);
    connection->session.query = options.query;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) != 0) { die("epoll_ctl: %s", strerror(errno)); }
    active += 1;
}

static void fill_leases(int poller, uint64_t give_up_ns) {
    struct connection *all = calloc(options.connections, sizeof *all);
    if (all == NULL) { die("no memory for %u connections", options.connections); }
    for (unsigned i = 0; i < options.connections; i++) { open_connection(&all[i], i, poller); }
    for (unsigned i = 0; i < options.connections; i++) { next_lease(&all[i]); }
    struct epoll_event events[64];
    while (active > 0 && failure == 0 && now_ns() < give_up_ns) {
        int count = epoll_wait(poller, events, 64, 100);
        for (int i = 0; i < count && failure == 0; i++) { take_lease(events[i].data.ptr); }
    }
    printf("{\"mode\":\"leases\",\"count\":%u,\"failure\":%d}\n", finished, failure);
    if (failure == 0 && finished < options.count) { failure = FAILURE_STALLED; }
    free(all);
}

static void prime(int fd) {
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (!send_all(fd, request, sizeof request - 1)) { die("the server does not take a GET"); }
    struct session session = {0};
    char in[2048];
    size_t have = 0;
    for (int tries = 0; tries < 100; tries++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        poll(&readable, 1, 50);
        ssize_t got = recv(fd, in + have, sizeof in - have, 0);
        if (got == 0) { break; }
        have += got > 0 ? (size_t)got : 0;
        // Not a lease, so "refused" with its status is what a whole answer looks like here.
        if (http_dialect.read_acquire(&session, in, have) == OUTCOME_INCOMPLETE) { continue; }
        if (session.status == 200) { return; }
        break;
    }
    die("GET /readyz failed: %d", session.status);
}

// The waiters' sockets are only numbers to this process: nothing is read from them unless something is wrong.
static void fill_waiters(int poller, uint64_t give_up_ns) {
    char out[1024];
    int length = snprintf(out, sizeof out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        options.target);
    for (unsigned i = 0; i < options.count; i++) {
        int fd = endpoint_connect(&options.endpoint, i);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) { die("epoll_ctl: %s", strerror(errno)); }
        if (options.prime) { prime(fd); }
        if (!send_all(fd, out, (size_t)length)) { die("the server does not take request %u", i); }
    }
    printf("{\"mode\":\"waiters\",\"count\":%u}\n", options.count);
    fflush(stdout);
    struct epoll_event one;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (now_ns() < give_up_ns && poll(&input, 1, 50) == 0) {
        if (epoll_wait(poller, &one, 1, 0) == 0) { continue; }
        char answer[512];
        ssize_t got = recv(one.data.fd, answer, sizeof answer - 1, 0);
        answer[got > 0 ? got : 0] = '\0';
        fprintf(stderr, "a waiter was answered: %s\n", got > 0 ? answer : "closed");
        failure = FAILURE_MALFORMED;
        return;
    }
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"mode", required_argument, NULL, 'm'}, {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'}, {"unix", required_argument, NULL, 'u'},
        {"sources", required_argument, NULL, 'S'}, {"connections", required_argument, NULL, 'c'},
        {"count", required_argument, NULL, 'n'}, {"per-key", required_argument, NULL, 'k'},
        {"query", required_argument, NULL, 'q'}, {"target", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'}, {"prime", no_argument, NULL, 'P'}, {0},
    };
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'm': options.waiters = strcmp(optarg, "waiters") == 0; break;
        case 'h': options.endpoint.host = optarg; break;
        case 'p': options.endpoint.port = (int)parse_number("port", optarg, 1, 65535); break;
        case 'u': options.endpoint.unix_path = optarg; break;
        case 'S': options.endpoint.sources = (int)parse_number("sources", optarg, 1, 250); break;
        case 'c': options.connections = (unsigned)parse_number("connections", optarg, 1, 10000); break;
        case 'n': options.count = (unsigned)parse_number("count", optarg, 1, 10000000); break;
        case 'k': options.per_key = (unsigned)parse_number("per-key", optarg, 1, 32767); break;
        case 'q': options.query = optarg; break;
        case 't': options.target = optarg; break;
        case 'P': options.prime = true; break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        default: die("usage: fill_client --mode leases|waiters (--port N | --unix PATH) [--count N] ...");
        }
    }
    if (options.endpoint.port == 0 && options.endpoint.unix_path == NULL) { die("give --port or --unix"); }
    if (!(options.seconds > 0 && options.seconds <= 3600)) { die("--seconds is more than 0 and at most 3600"); }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    raise_descriptor_limit();
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) { die("epoll_create1: %s", strerror(errno)); }
    uint64_t give_up_ns = now_ns() + (uint64_t)(options.seconds * 1e9);
    if (options.waiters) {
        fill_waiters(poller, give_up_ns);
    } else {
        fill_leases(poller, give_up_ns);
    }
    return failure == 0 ? 0 : 1;
}
