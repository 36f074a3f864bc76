// The load: N connections, each with a key of its own, acquire and release as fast as the answers come.

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
#include <unistd.h>

enum { statuses = 1000, failures_max = 1000, grace_ms = 5000 };

struct connection {
    int fd;
    bool releasing;
    struct session session;
    uint64_t began_ns;
    size_t have;
    char in[4096];
};

static struct {
    struct endpoint endpoint;
    const struct dialect *dialect;
    const char *query, *key_prefix;
    unsigned connections;
    double seconds;
    uint64_t cycles_max;
} options = {
    .endpoint = {.host = "127.0.0.1", .sources = 1},
    .query = "ttl=30s", .key_prefix = "bench-", .connections = 1, .seconds = 1, .cycles_max = UINT64_MAX,
};
static struct histogram histogram;
static uint64_t started, finished, failures, failed[statuses], deadline_ns, acquire_bytes, release_bytes;
static unsigned active;

static void end_connection(struct connection *connection) {
    if (connection->fd < 0) { return; }
    close(connection->fd); // leaves the epoll set, too
    connection->fd = -1;
    active -= 1;
}

static void count_failure(struct connection *connection, int status) {
    failed[status > 0 && status < statuses ? status : FAILURE_MALFORMED] += 1;
    failures += 1;
    // One that failed has an unknown state (a held lock, half an answer): it takes no further part.
    end_connection(connection);
}

static void send_request(struct connection *connection) {
    char out[1024];
    struct session *session = &connection->session;
    size_t length = connection->releasing ? options.dialect->write_release(session, out, sizeof out)
                                          : options.dialect->write_acquire(session, out, sizeof out);
    if (!send_all(connection->fd, out, length)) { count_failure(connection, FAILURE_CLOSED); }
}

static void begin_cycle(struct connection *connection, uint64_t now) {
    if (now >= deadline_ns || started >= options.cycles_max) {
        end_connection(connection);
        return;
    }
    started += 1;
    connection->began_ns = now;
    connection->releasing = false;
    send_request(connection);
}

static void take_answer(struct connection *connection) {
    struct session *session = &connection->session;
    enum outcome outcome = connection->releasing
        ? options.dialect->read_release(session, connection->in, connection->have)
        : options.dialect->read_acquire(session, connection->in, connection->have);
    if (outcome == OUTCOME_INCOMPLETE && connection->have < sizeof connection->in) { return; }
    if (outcome != OUTCOME_DONE) {
        count_failure(connection, outcome == OUTCOME_INCOMPLETE ? FAILURE_MALFORMED : session->status);
        return;
    }
    connection->have = 0;
    if (!connection->releasing) {
        acquire_bytes = session->answer_bytes;
        connection->releasing = true;
        send_request(connection);
        return;
    }
    release_bytes = session->answer_bytes;
    uint64_t now = now_ns();
    histogram_add(&histogram, now - connection->began_ns);
    finished += 1;
    begin_cycle(connection, now);
}

static void on_readable(struct connection *connection) {
    if (connection->fd < 0) { return; }
    ssize_t got = recv(connection->fd, connection->in + connection->have, sizeof connection->in - connection->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) { return; }
    if (got <= 0) {
        count_failure(connection, FAILURE_CLOSED);
        return;
    }
    connection->have += (size_t)got;
    take_answer(connection);
}

static struct connection *open_connections(int poller) {
    struct connection *all = calloc(options.connections, sizeof *all);
    if (all == NULL) { die("no memory for %u connections", options.connections); }
    for (unsigned i = 0; i < options.connections; i++) {
        struct connection *connection = &all[i];
        connection->fd = endpoint_connect(&options.endpoint, i);
        connection->session.query = options.query;
        connection->session.random = now_ns() + ((uint64_t)i << 40);
        snprintf(connection->session.key, sizeof connection->session.key, "%s%u", options.key_prefix, i);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) != 0) { die("epoll_ctl: %s", strerror(errno)); }
        active += 1;
    }
    return all;
}

static void run(int poller, struct connection *all) {
    uint64_t start = now_ns();
    deadline_ns = start + (uint64_t)(options.seconds * 1e9);
    for (unsigned i = 0; i < options.connections; i++) { begin_cycle(&all[i], now_ns()); }
    // Cycles that are open at the deadline are finished, so that no lock stays behind, but not waited for without end.
    uint64_t give_up_ns = deadline_ns + grace_ms * 1000000ull;
    struct epoll_event events[256];
    while (active > 0 && failures < failures_max) {
        int count = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < count; i++) { on_readable(events[i].data.ptr); }
        if (count <= 0 && now_ns() >= give_up_ns) { break; }
    }
    for (unsigned i = 0; i < options.connections; i++) {
        if (all[i].fd >= 0) { count_failure(&all[i], FAILURE_STALLED); }
    }
}

static const char *failure_name(int status, char *buffer, size_t capacity) {
    switch (status) {
    case FAILURE_CLOSED: return "closed";
    case FAILURE_STALLED: return "stalled";
    case FAILURE_MALFORMED: return "malformed";
    case FAILURE_REDIS_NIL: return "redis-nil";
    case FAILURE_REDIS_ERROR: return "redis-error";
    default: snprintf(buffer, capacity, "%d", status); return buffer;
    }
}

static void report(uint64_t wall_ns, uint64_t client_cpu_ns) {
    double seconds = (double)wall_ns / 1e9;
    printf("{\"mode\":\"%s\",\"connections\":%u,\"seconds\":%.6f,\"cycles\":%llu,\"cycles_per_second\":%.1f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"client_cpu_us_per_cycle\":%.3f,"
           "\"client_busy\":%.3f,\"acquire_bytes\":%llu,\"release_bytes\":%llu,\"failures\":%llu,\"errors\":{",
        options.dialect->name, options.connections, seconds, (unsigned long long)finished, (double)finished / seconds,
        histogram_us(&histogram, 0.50), histogram_us(&histogram, 0.99), histogram_us(&histogram, 0.999),
        (double)histogram.max_ns / 1000, finished == 0 ? 0 : (double)client_cpu_ns / 1000 / (double)finished,
        (double)client_cpu_ns / (double)wall_ns, (unsigned long long)acquire_bytes, (unsigned long long)release_bytes,
        (unsigned long long)failures);
    const char *comma = "";
    for (int status = 0; status < statuses; status++) {
        char buffer[16];
        if (failed[status] == 0) { continue; }
        printf("%s\"%s\":%llu", comma, failure_name(status, buffer, sizeof buffer),
            (unsigned long long)failed[status]);
        comma = ",";
    }
    printf("}}\n");
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"mode", required_argument, NULL, 'm'}, {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'}, {"unix", required_argument, NULL, 'u'},
        {"sources", required_argument, NULL, 'S'}, {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"cycles", required_argument, NULL, 'n'},
        {"query", required_argument, NULL, 'q'}, {"key-prefix", required_argument, NULL, 'k'}, {0},
    };
    options.dialect = &http_dialect;
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'm': options.dialect = dialect_named(optarg); break;
        case 'h': options.endpoint.host = optarg; break;
        case 'p': options.endpoint.port = (int)parse_number("port", optarg, 1, 65535); break;
        case 'u': options.endpoint.unix_path = optarg; break;
        case 'S': options.endpoint.sources = (int)parse_number("sources", optarg, 1, 250); break;
        case 'c': options.connections = (unsigned)parse_number("connections", optarg, 1, 100000); break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        case 'n': options.cycles_max = parse_number("cycles", optarg, 1, 1000000000000); break;
        case 'q': options.query = optarg; break;
        case 'k': options.key_prefix = optarg; break;
        default: die("usage: cycle_client --mode http|http-refused|http-several|http-variable|redis "
            "(--port N | --unix PATH) [--connections N] ...");
        }
    }
    if (options.endpoint.port == 0 && options.endpoint.unix_path == NULL) { die("give --port or --unix"); }
    if (!(options.seconds > 0 && options.seconds <= 3600)) { die("--seconds is more than 0 and at most 3600"); }
    if (options.dialect == &redis_list_dialect) { die("redis-list is for handoff_client"); }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    raise_descriptor_limit();
    if (options.dialect == &redis_set_dialect) { redis_prepare(&options.endpoint); }
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) { die("epoll_create1: %s", strerror(errno)); }
    struct connection *all = open_connections(poller);
    uint64_t cpu = cpu_ns(), start = now_ns();
    run(poller, all);
    report(now_ns() - start, cpu_ns() - cpu);
    free(all);
    return failures == 0 && finished > 0 ? 0 : 1;
}
