// Hand-over: K connections want one lock; how long from "release" sent to "granted" read by the next one?
//
// A holder keeps the lock for --hold-us, so that whoever lost the last round is certainly queued before the next.
// One thread sends and reads everything: the time includes one wake-up of this process, for every contender alike.

#define _GNU_SOURCE
#include "bench.h"
#include "dialect.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state {
    STATE_IDLE,      // released; asks again when the hand-over is through
    STATE_WAITING,   // acquire sent
    STATE_PAUSING,   // refused by SET NX; asks again at due_ns
    STATE_HOLDING,   // releases at due_ns
    STATE_RELEASING, // release sent
};

struct connection {
    int fd;
    enum state state;
    struct session session;
    uint64_t due_ns;
    size_t have;
    char in[4096];
};

static struct {
    struct endpoint endpoint;
    const struct dialect *dialect;
    const char *query;
    unsigned connections;
    double seconds;
    uint64_t handovers, hold_ns, poll_ns;
} options = {
    .endpoint = {.host = "127.0.0.1", .sources = 1}, .query = "ttl=30s&wait=10s",
    .connections = 8, .seconds = 5, .handovers = 2000, .hold_ns = 500000, .poll_ns = 1000000,
};
static struct histogram histogram;
static struct connection *all;
static const struct connection *releaser; // who sent the release that nobody has answered with a grant yet
static uint64_t release_sent_ns;
static int failure; // the first one ends the run

static void request(struct connection *connection, enum state state) {
    char out[1024];
    struct session *session = &connection->session;
    size_t length = state == STATE_RELEASING ? options.dialect->write_release(session, out, sizeof out)
                                             : options.dialect->write_acquire(session, out, sizeof out);
    connection->state = state;
    if (state == STATE_RELEASING) {
        releaser = connection;
        release_sent_ns = now_ns();
    }
    if (!send_all(connection->fd, out, length)) { failure = FAILURE_CLOSED; }
}

static void granted(struct connection *connection, uint64_t now) {
    connection->state = STATE_HOLDING;
    connection->due_ns = now + options.hold_ns;
    if (releaser != NULL && releaser != connection) { histogram_add(&histogram, now - release_sent_ns); }
    releaser = NULL;
    for (unsigned i = 0; i < options.connections; i++) {
        if (all[i].state == STATE_IDLE) { request(&all[i], STATE_WAITING); }
    }
}

static void released(struct connection *connection) {
    connection->state = STATE_IDLE;
    // The grant may have overtaken this answer: then there is nobody left to start this one again.
    if (releaser == NULL) { request(connection, STATE_WAITING); }
}

static void take_answer(struct connection *connection, uint64_t now) {
    struct session *session = &connection->session;
    bool releasing = connection->state == STATE_RELEASING;
    enum outcome outcome = releasing ? options.dialect->read_release(session, connection->in, connection->have)
                                     : options.dialect->read_acquire(session, connection->in, connection->have);
    if (outcome == OUTCOME_INCOMPLETE && connection->have < sizeof connection->in) { return; }
    connection->have = 0;
    if (outcome == OUTCOME_BUSY && !releasing) {
        connection->state = STATE_PAUSING;
        // Half to one and a half times the pause: waiters that started together must not keep asking together.
        connection->due_ns = now + options.poll_ns / 2 + cheap_random(&session->random) % options.poll_ns;
    } else if (outcome != OUTCOME_DONE) {
        failure = outcome == OUTCOME_INCOMPLETE ? FAILURE_MALFORMED : session->status;
    } else if (releasing) {
        released(connection);
    } else {
        granted(connection, now);
    }
}

static void on_readable(struct connection *connection) {
    ssize_t got = recv(connection->fd, connection->in + connection->have, sizeof connection->in - connection->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) { return; }
    bool asked = connection->state == STATE_WAITING || connection->state == STATE_RELEASING;
    if (got <= 0 || !asked) {
        failure = got <= 0 ? FAILURE_CLOSED : FAILURE_MALFORMED;
        return;
    }
    connection->have += (size_t)got;
    take_answer(connection, now_ns());
}

// Starts what is due; returns when the next one is.
static uint64_t run_due(uint64_t now, uint64_t latest) {
    uint64_t next = latest;
    for (unsigned i = 0; i < options.connections; i++) {
        struct connection *connection = &all[i];
        if (connection->state != STATE_PAUSING && connection->state != STATE_HOLDING) { continue; }
        if (connection->due_ns > now) {
            next = connection->due_ns < next ? connection->due_ns : next;
            continue;
        }
        request(connection, connection->state == STATE_HOLDING ? STATE_RELEASING : STATE_WAITING);
    }
    return next;
}

static void run(int poller) {
    uint64_t give_up_ns = now_ns() + (uint64_t)(options.seconds * 1e9);
    for (unsigned i = 0; i < options.connections; i++) { request(&all[i], STATE_WAITING); }
    struct epoll_event events[64];
    while (failure == 0 && histogram.total < options.handovers) {
        uint64_t now = now_ns();
        if (now >= give_up_ns) { break; }
        uint64_t next = run_due(now, now + 100000000);
        now = now_ns();
        uint64_t pause_ns = next > now ? next - now : 0;
        struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)pause_ns};
        int count = epoll_pwait2(poller, events, 64, &pause, NULL);
        for (int i = 0; i < count && failure == 0; i++) { on_readable(events[i].data.ptr); }
    }
}

static void open_connections(int poller) {
    all = calloc(options.connections, sizeof *all);
    if (all == NULL) { die("no memory for %u connections", options.connections); }
    for (unsigned i = 0; i < options.connections; i++) {
        struct connection *connection = &all[i];
        connection->fd = endpoint_connect(&options.endpoint, i);
        connection->session.query = options.query;
        connection->session.random = now_ns() + ((uint64_t)i << 40);
        // A new key in every run: what an earlier run left held does not matter.
        snprintf(connection->session.key, sizeof connection->session.key, "handoff-%d", (int)getpid());
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) != 0) { die("epoll_ctl: %s", strerror(errno)); }
    }
}

// Waiters first: nothing is granted to them while the holder lets go.
static void close_connections(void) {
    for (unsigned i = 0; i < options.connections; i++) {
        if (all[i].state != STATE_HOLDING) { close(all[i].fd); }
    }
    for (unsigned i = 0; i < options.connections; i++) {
        if (all[i].state != STATE_HOLDING) { continue; }
        request(&all[i], STATE_RELEASING);
        sleep_ns(20000000);
        close(all[i].fd);
    }
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"mode", required_argument, NULL, 'm'}, {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'}, {"unix", required_argument, NULL, 'u'},
        {"connections", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"handovers", required_argument, NULL, 'n'}, {"query", required_argument, NULL, 'q'},
        {"hold-us", required_argument, NULL, 'o'}, {"poll-us", required_argument, NULL, 'P'}, {0},
    };
    options.dialect = &http_dialect;
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'm': options.dialect = dialect_named(optarg); break;
        case 'h': options.endpoint.host = optarg; break;
        case 'p': options.endpoint.port = (int)parse_number("port", optarg, 1, 65535); break;
        case 'u': options.endpoint.unix_path = optarg; break;
        case 'c': options.connections = (unsigned)parse_number("connections", optarg, 2, 1000); break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        case 'n': options.handovers = parse_number("handovers", optarg, 1, 100000000); break;
        case 'q': options.query = optarg; break;
        case 'o': options.hold_ns = 1000 * parse_number("hold-us", optarg, 0, 1000000); break;
        case 'P': options.poll_ns = 1000 * parse_number("poll-us", optarg, 10, 1000000); break;
        default: die("usage: handoff_client --mode http|redis|redis-list (--port N | --unix PATH) ...");
        }
    }
    if (options.endpoint.port == 0 && options.endpoint.unix_path == NULL) { die("give --port or --unix"); }
    if (!(options.seconds > 0 && options.seconds <= 3600)) { die("--seconds is more than 0 and at most 3600"); }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    if (options.dialect == &redis_set_dialect) { redis_prepare(&options.endpoint); }
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) { die("epoll_create1: %s", strerror(errno)); }
    open_connections(poller);
    const char *key = all[0].session.key;
    if (options.dialect == &redis_list_dialect) { redis_reset(&options.endpoint, key, "token"); }
    uint64_t start = now_ns();
    run(poller);
    double seconds = (double)(now_ns() - start) / 1e9;
    close_connections();
    if (options.dialect != &http_dialect) { redis_reset(&options.endpoint, key, NULL); }
    printf("{\"mode\":\"%s\",\"connections\":%u,\"seconds\":%.3f,\"handovers\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"p999_us\":%.1f,\"max_us\":%.1f,\"failure\":%d}\n",
        options.dialect->name, options.connections, seconds, (unsigned long long)histogram.total,
        histogram_us(&histogram, 0.50), histogram_us(&histogram, 0.99), histogram_us(&histogram, 0.999),
        (double)histogram.max_ns / 1000, failure);
    free(all);
    return failure == 0 && histogram.total > 0 ? 0 : 1;
}
