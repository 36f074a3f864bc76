#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void sleep_ns(uint64_t ns) {
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

static size_t bucket_of(uint64_t ns) {
    if (ns < HISTOGRAM_STEPS) { return (size_t)ns; }
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 6;
    size_t bucket = (size_t)(shift + 1) * HISTOGRAM_STEPS + ((ns >> shift) & (HISTOGRAM_STEPS - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t bucket_end(size_t bucket) {
    if (bucket < HISTOGRAM_STEPS) { return bucket; }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_STEPS) - 1;
    return ((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns) {
    histogram->counts[bucket_of(ns)] += 1;
    histogram->total += 1;
    if (ns > histogram->max_ns) { histogram->max_ns = ns; }
}

double histogram_us(const struct histogram *histogram, double quantile) {
    if (histogram->total == 0) { return 0; }
    uint64_t rank = (uint64_t)(quantile * (double)(histogram->total - 1)) + 1;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen < rank) { continue; }
        uint64_t end = bucket_end(bucket);
        return (double)(end < histogram->max_ns ? end : histogram->max_ns) / 1000.0;
    }
    return (double)histogram->max_ns / 1000.0;
}

static int connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) { die("unix socket path is too long: %s", path); }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) { die("socket: %s", strerror(errno)); }
    // connect() on a Unix socket blocks while the backlog is full; this bounds it.
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) { die("connect %s: %s", path, strerror(errno)); }
    return fd;
}

static int connect_tcp(const struct endpoint *endpoint, unsigned index) {
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)endpoint->port)};
    if (inet_pton(AF_INET, endpoint->host, &peer.sin_addr) != 1) { die("not an IPv4 address: %s", endpoint->host); }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) { die("socket: %s", strerror(errno)); }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (endpoint->sources > 1) {
        struct sockaddr_in source = {.sin_family = AF_INET};
        source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index % (unsigned)endpoint->sources);
        // Without this, bind() would take a port for all peers and run out of them at once.
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0) { die("bind: %s", strerror(errno)); }
    }
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) {
        die("connect %s:%d: %s", endpoint->host, endpoint->port, strerror(errno));
    }
    return fd;
}

int endpoint_connect(const struct endpoint *endpoint, unsigned index) {
    int fd = endpoint->unix_path != NULL ? connect_unix(endpoint->unix_path) : connect_tcp(endpoint, index);
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) { die("fcntl: %s", strerror(errno)); }
    return fd;
}

bool send_all(int fd, const char *bytes, size_t length) {
    return send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) { return; }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned long parse_number(const char *flag, const char *text, unsigned long minimum, unsigned long maximum) {
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < minimum || value > maximum) {
        die("--%s is %lu..%lu, not %s", flag, minimum, maximum, text);
    }
    return value;
}

uint64_t cheap_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
