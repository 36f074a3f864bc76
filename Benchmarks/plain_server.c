// The yardstick: the least that a C program on libmicrohttpd does to take and give back a System V slot over HTTP,
// with Leasehold's options, headers and answers, and without its book-keeping.

#define _GNU_SOURCE
#include "bench.h"
#include "plain_slots.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *host, *unix_path, *suspend_path;
    unsigned port, threads, connections, timeout_s, locks;
    size_t connection_memory;
};

static struct options options = {
    .host = "127.0.0.1", .threads = 1, .connections = 20000, .timeout_s = 60, .locks = 1024,
    .connection_memory = 16 << 10,
};
static atomic_ullong fence = 1763800000000000u;
static atomic_uint suspended;

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *body, size_t length,
                             const char *location) {
    struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) { return MHD_NO; }
    const char *asked = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Request-Id");
    char made[17];
    if (asked == NULL) { random_hex(made, 16); }
    MHD_add_response_header(response, "X-Request-Id", asked != NULL ? asked : made);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Type", status < 400 ? "application/json" : "application/problem+json");
    if (location != NULL) { MHD_add_response_header(response, "Location", location); }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result problem(struct MHD_Connection *connection, unsigned status, const char *code) {
    char body[256];
    int length = snprintf(body, sizeof body, "{\"type\":\"/problems/%s\",\"status\":%u,\"code\":\"%s\"}\n",
        code, status, code);
    return reply(connection, status, body, (size_t)length, NULL);
}

// RFC 3339 with milliseconds. The date changes once a second, so it is formatted once a second.
static void format_instant(uint64_t ms, char *out, size_t capacity) {
    static __thread time_t second = -1;
    static __thread char date[24];
    if (second != (time_t)(ms / 1000)) {
        struct tm parts;
        second = (time_t)(ms / 1000);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &parts));
    }
    snprintf(out, capacity, "%s.%03uZ", date, (unsigned)(ms % 1000));
}

static size_t write_lease(char *out, size_t capacity, const struct slot *slot, const char *lease, unsigned ttl_ms) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    char expires_at[40];
    uint64_t wall_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
    format_instant(wall_ms + ttl_ms, expires_at, sizeof expires_at);
    return (size_t)snprintf(out, capacity,
        "{\"lease\":\"%s\",\"ref\":\"%s\",\"key\":\"%s\",\"kind\":\"rw\",\"mode\":\"exclusive\",\"count\":1,"
        "\"limit\":null,\"fence\":%llu,\"owner\":null,\"bind\":null,\"ttl_ms\":%u,\"expires_in_ms\":%u,"
        "\"expires_at\":\"%s\","
        "\"deadline_monotonic_ns\":%llu,\"renew_after_ms\":%u,\"waited_ms\":0,\"replayed\":false,\"cooldown_ms\":0,"
        "\"sysv\":{\"key\":1280901120,\"id\":%d,\"nsems\":%d,\"semaphores\":[%u],\"units\":1}}\n",
        lease, lease + LEASE_ID_LENGTH - 10, slot->key,
        (unsigned long long)atomic_fetch_add_explicit(&fence, 1, memory_order_relaxed),
        ttl_ms, ttl_ms, expires_at, (unsigned long long)(now_ns() + ttl_ms * 1000000ull), ttl_ms / 3,
        slot->set_id, SEMAPHORES_PER_SET, slot->semaphore);
}

static enum MHD_Result acquire(struct MHD_Connection *connection, const char *key, size_t key_length) {
    const char *ttl = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "ttl");
    unsigned ttl_ms = ttl == NULL ? 30000 : (unsigned)atoi(ttl) * 1000;
    unsigned index = 0;
    const struct slot *slot = slot_of_key(key, key_length, &index);
    if (slot == NULL) { return problem(connection, 507, "kernel-limit"); }
    int error = slot_take(slot);
    if (error == EAGAIN) { return problem(connection, 423, "locked"); }
    if (error != 0) { return problem(connection, 500, "internal"); }
    char lease[LEASE_ID_LENGTH + 1], location[LEASE_ID_LENGTH + 16], body[1024];
    lease_id_make(index, lease);
    snprintf(location, sizeof location, "/leases/%s", lease);
    size_t length = write_lease(body, sizeof body, slot, lease, ttl_ms);
    return reply(connection, 201, body, length, location);
}

static enum MHD_Result release(struct MHD_Connection *connection, const char *lease) {
    unsigned index = 0;
    const struct slot *slot = lease == NULL ? NULL : slot_of_lease(lease, &index);
    if (slot == NULL) { return problem(connection, 404, "no-such-lease"); }
    // The ledger is 0 when nobody holds the slot, and then this is refused as a whole.
    if (slot_give_back(slot) != 0) { return problem(connection, 410, "released"); }
    char body[256];
    int length = snprintf(body, sizeof body, "{\"released\":true,\"already\":false,\"key\":\"%s\",\"ref\":\"%s\"}\n",
        slot->key, lease + LEASE_ID_LENGTH - 10);
    return reply(connection, 200, body, (size_t)length, NULL);
}

static enum MHD_Result about(struct MHD_Connection *connection, const char *path) {
    char body[256];
    int length = 0;
    if (strcmp(path, "/readyz") == 0) {
        length = snprintf(body, sizeof body, "{\"status\":\"ready\"}\n");
    } else if (strcmp(path, "/stats") == 0) {
        length = snprintf(body, sizeof body, "{\"suspended\":%u}\n", atomic_load(&suspended));
    } else if (strcmp(path, "/version") == 0) {
        length = snprintf(body, sizeof body, "{\"name\":\"plain\",\"libmicrohttpd\":\"%s\"}\n", MHD_get_version());
    } else {
        return problem(connection, 404, "not-found");
    }
    return reply(connection, 200, body, (size_t)length, NULL);
}

static enum MHD_Result dispatch(struct MHD_Connection *connection, const char *path, const char *method) {
    if (options.suspend_path != NULL && strcmp(path, options.suspend_path) == 0) {
        MHD_suspend_connection(connection); // for ever: what a waiter costs libmicrohttpd alone
        atomic_fetch_add(&suspended, 1);
        return MHD_YES;
    }
    if (strcmp(method, "DELETE") == 0 && strncmp(path, "/leases/", 8) == 0) { return release(connection, path + 8); }
    if (strcmp(method, "GET") == 0) { return about(connection, path); }
    bool lock = strcmp(method, "POST") == 0 && strncmp(path, "/locks/", 7) == 0;
    if (!lock) { return problem(connection, 404, "not-found"); }
    const char *key = path + 7, *verb = strchrnul(key, '/');
    if (strcmp(verb, "/acquire") == 0) { return acquire(connection, key, (size_t)(verb - key)); }
    if (strcmp(verb, "/release") == 0) {
        return release(connection, MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "lease"));
    }
    return problem(connection, 404, "not-found");
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **request) {
    (void)cls, (void)version, (void)upload;
    static char seen;
    // libmicrohttpd calls once for the headers, once for each piece of a body, and once at the end.
    if (*request == NULL) {
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return dispatch(connection, path, method);
}

// Leasehold takes paths apart before it decodes them; so does this.
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls, (void)connection;
    return strlen(text);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode code) {
    (void)cls, (void)connection, (void)request, (void)code;
}

static int listen_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) { die("--unix is too long"); }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) { die("%s: %s", path, strerror(errno)); }
    return fd;
}

static int listen_tcp(const char *host, unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) { die("--host is not an IPv4 address: %s", host); }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) { die("socket: %s", strerror(errno)); }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) { die("%s:%u: %s", host, port, strerror(errno)); }
    return fd;
}

static void start_daemon(int fd) {
    if (listen(fd, 4096) != 0) { die("listen: %s", strerror(errno)); }
    struct MHD_OptionItem items[8] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)options.connections, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)options.connection_memory, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)options.timeout_s, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)&leave_escapes, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&completed, NULL},
        {MHD_OPTION_END, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    if (options.threads > 1) {
        items[6] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options.threads, NULL};
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (MHD_start_daemon(flags, 0, NULL, NULL, handle, NULL, MHD_OPTION_ARRAY, items, MHD_OPTION_END) == NULL) {
        die("libmicrohttpd did not start");
    }
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"host", required_argument, NULL, 'h'}, {"port", required_argument, NULL, 'p'},
        {"unix", required_argument, NULL, 'u'}, {"suspend-path", required_argument, NULL, 's'},
        {"threads", required_argument, NULL, 't'}, {"connection-memory", required_argument, NULL, 'm'},
        {"max-connections", required_argument, NULL, 'c'}, {"idle-timeout", required_argument, NULL, 'i'},
        {"locks", required_argument, NULL, 'l'}, {0},
    };
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'h': options.host = optarg; break;
        case 'p': options.port = (unsigned)parse_number("port", optarg, 1, 65535); break;
        case 'u': options.unix_path = optarg; break;
        case 's': options.suspend_path = optarg; break;
        case 't': options.threads = (unsigned)parse_number("threads", optarg, 1, 64); break;
        case 'm': options.connection_memory = parse_number("connection-memory", optarg, 1024, 1 << 20); break;
        case 'c': options.connections = (unsigned)parse_number("max-connections", optarg, 1, 1000000); break;
        case 'i': options.timeout_s = (unsigned)parse_number("idle-timeout", optarg, 0, 86400); break;
        case 'l': options.locks = (unsigned)parse_number("locks", optarg, 1, 1000000); break;
        default: die("usage: plain_server [--port N] [--unix PATH] [--suspend-path PATH] ...");
        }
    }
    if (options.port == 0 && options.unix_path == NULL) { die("give --port or --unix"); }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    raise_descriptor_limit();
    // A benchmark that dies must not leave a server or semaphores behind.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); // before the daemon's threads start, so that they inherit it
    slots_open(options.locks);
    if (options.port != 0) { start_daemon(listen_tcp(options.host, options.port)); }
    if (options.unix_path != NULL) { start_daemon(listen_unix(options.unix_path)); }
    int signal_number = 0;
    sigwait(&ends, &signal_number);
    slots_close();
    // Not MHD_stop_daemon: it refuses to stop while connections are suspended, and these are for ever.
    _exit(0);
}
