#define _GNU_SOURCE
#include "bench.h"
#include "dialect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ttl_ms = 30000 };

// The release that Redis' own documentation gives for a lock made with SET NX.
static const char script[] =
    "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";
static char script_sha[41];

static void make_token(struct session *session) {
    snprintf(session->token, sizeof session->token, "%016llx%016llx",
        (unsigned long long)cheap_random(&session->random), (unsigned long long)cheap_random(&session->random));
}

// A one-line answer: its length with the line end, or 0.
static size_t line_length(struct session *session, const char *in, size_t length) {
    const char *end = memmem(in, length, "\r\n", 2);
    if (end == NULL) { return 0; }
    session->answer_bytes = (size_t)(end + 2 - in);
    return session->answer_bytes;
}

static enum outcome refuse(struct session *session, const char *in) {
    session->status = in[0] == '-' ? FAILURE_REDIS_ERROR : FAILURE_MALFORMED;
    return OUTCOME_REFUSED;
}

static size_t write_set(struct session *session, char *out, size_t capacity) {
    make_token(session);
    return (size_t)snprintf(out, capacity,
        "*6\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$32\r\n%s\r\n$2\r\nNX\r\n$2\r\nPX\r\n$5\r\n%d\r\n",
        strlen(session->key), session->key, session->token, ttl_ms);
}

static enum outcome read_set(struct session *session, const char *in, size_t length) {
    if (line_length(session, in, length) == 0) { return OUTCOME_INCOMPLETE; }
    if (length == 5 && memcmp(in, "+OK\r\n", 5) == 0) { return OUTCOME_DONE; }
    if (length == 5 && memcmp(in, "$-1\r\n", 5) == 0) {
        session->status = FAILURE_REDIS_NIL;
        return OUTCOME_BUSY;
    }
    return refuse(session, in);
}

static size_t write_compare_and_delete(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity,
        "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n$%zu\r\n%s\r\n$32\r\n%s\r\n",
        script_sha, strlen(session->key), session->key, session->token);
}

static enum outcome read_compare_and_delete(struct session *session, const char *in, size_t length) {
    if (line_length(session, in, length) == 0) { return OUTCOME_INCOMPLETE; }
    return length == 4 && memcmp(in, ":1\r\n", 4) == 0 ? OUTCOME_DONE : refuse(session, in);
}

static size_t write_blpop(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity, "*3\r\n$5\r\nBLPOP\r\n$%zu\r\n%s\r\n$2\r\n10\r\n",
        strlen(session->key), session->key);
}

static enum outcome read_blpop(struct session *session, const char *in, size_t length) {
    if (line_length(session, in, length) == 0) { return OUTCOME_INCOMPLETE; }
    if (memcmp(in, "*2\r\n", 4) != 0) { return refuse(session, in); }
    char expected[160];
    size_t size = (size_t)snprintf(expected, sizeof expected, "*2\r\n$%zu\r\n%s\r\n$5\r\ntoken\r\n",
        strlen(session->key), session->key);
    if (length < size) { return OUTCOME_INCOMPLETE; }
    session->answer_bytes = size;
    return length == size && memcmp(in, expected, size) == 0 ? OUTCOME_DONE : refuse(session, in);
}

static size_t write_lpush(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity, "*3\r\n$5\r\nLPUSH\r\n$%zu\r\n%s\r\n$5\r\ntoken\r\n",
        strlen(session->key), session->key);
}

static enum outcome read_lpush(struct session *session, const char *in, size_t length) {
    if (line_length(session, in, length) == 0) { return OUTCOME_INCOMPLETE; }
    // The length before a waiter was served, so always 1.
    return length == 4 && memcmp(in, ":1\r\n", 4) == 0 ? OUTCOME_DONE : refuse(session, in);
}

const struct dialect redis_set_dialect = {
    "redis", write_set, write_compare_and_delete, read_set, read_compare_and_delete};
const struct dialect redis_list_dialect = {"redis-list", write_blpop, write_lpush, read_blpop, read_lpush};

// One command on a connection of its own, before or after the measurement. Returns the bytes of the answer.
static size_t command(const struct endpoint *endpoint, const char *request, char *answer, size_t capacity) {
    int fd = endpoint_connect(endpoint, 0);
    if (!send_all(fd, request, strlen(request))) { die("Redis did not take a command"); }
    size_t have = 0;
    for (int tries = 0; tries < 50 && (have < 2 || answer[have - 1] != '\n'); tries++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        poll(&readable, 1, 100);
        ssize_t got = recv(fd, answer + have, capacity - 1 - have, 0);
        if (got == 0) { break; }
        if (got > 0) { have += (size_t)got; }
    }
    close(fd);
    answer[have] = '\0';
    if (have == 0 || answer[0] == '-') { die("Redis answered: %s", have == 0 ? "nothing" : answer); }
    return have;
}

void redis_prepare(const struct endpoint *endpoint) {
    char request[512], answer[256];
    snprintf(request, sizeof request, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n", sizeof script - 1, script);
    command(endpoint, request, answer, sizeof answer);
    if (sscanf(answer, "$40\r\n%40[0-9a-f]", script_sha) != 1) { die("SCRIPT LOAD answered: %s", answer); }
}

void redis_reset(const struct endpoint *endpoint, const char *key, const char *token) {
    char request[256], answer[256];
    snprintf(request, sizeof request, "*2\r\n$3\r\nDEL\r\n$%zu\r\n%s\r\n", strlen(key), key);
    command(endpoint, request, answer, sizeof answer);
    if (token == NULL) { return; }
    snprintf(request, sizeof request, "*3\r\n$5\r\nLPUSH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
        strlen(key), key, strlen(token), token);
    command(endpoint, request, answer, sizeof answer);
}

const struct dialect *dialect_named(const char *name) {
    static const struct dialect *const all[] = {
        &http_dialect, &http_refused_dialect, &http_several_dialect, &http_variable_dialect, &redis_set_dialect,
        &redis_list_dialect,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i]->name, name) == 0) { return all[i]; }
    }
    die("no such mode: %s (http, http-refused, http-several, http-variable, redis, redis-list)", name);
}
