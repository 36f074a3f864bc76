#define _GNU_SOURCE
#include "dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t write_acquire(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity,
        "POST /locks/%s/acquire?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        session->key, session->query);
}

static size_t write_release(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity, "DELETE /leases/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", session->token);
}

// Finds the end of a whole answer with a Content-Length; sets status and answer_bytes. Returns the body or NULL.
static const char *whole_answer(struct session *session, const char *in, size_t length, enum outcome *outcome) {
    *outcome = OUTCOME_INCOMPLETE;
    const char *end = memmem(in, length, "\r\n\r\n", 4);
    if (end == NULL) { return NULL; }
    *outcome = OUTCOME_REFUSED;
    session->status = FAILURE_MALFORMED;
    if (length < 12 || memcmp(in, "HTTP/1.1 ", 9) != 0) { return NULL; }
    const char *field = memmem(in, (size_t)(end - in), "Content-Length:", 15);
    if (field == NULL) { return NULL; }
    // atoi stops at the \r that is known to follow.
    size_t body_bytes = (size_t)atoi(field + 15);
    session->answer_bytes = (size_t)(end + 4 - in) + body_bytes;
    if (length < session->answer_bytes) {
        *outcome = OUTCOME_INCOMPLETE;
        return NULL;
    }
    // Nothing was pipelined, so more than one answer is nobody's.
    if (length > session->answer_bytes) { return NULL; }
    session->status = atoi(in + 9);
    return end + 4;
}

static enum outcome read_acquire(struct session *session, const char *in, size_t length) {
    enum outcome outcome;
    const char *body = whole_answer(session, in, length, &outcome);
    if (body == NULL || session->status != 201) { return outcome; }
    static const char name[] = "\"lease\":\"";
    const char *found = memmem(body, (size_t)(in + length - body), name, sizeof name - 1);
    const char *id = found == NULL ? NULL : found + sizeof name - 1;
    if (id == NULL || (size_t)(in + length - id) < 33 || id[32] != '"') {
        session->status = FAILURE_MALFORMED;
        return OUTCOME_REFUSED;
    }
    memcpy(session->token, id, 32);
    session->token[32] = '\0';
    return OUTCOME_DONE;
}

static enum outcome read_release(struct session *session, const char *in, size_t length) {
    enum outcome outcome;
    const char *body = whole_answer(session, in, length, &outcome);
    if (body == NULL || session->status != 200) { return outcome; }
    static const char first[] = "\"released\":true,\"already\":false";
    if (memmem(body, (size_t)(in + length - body), first, sizeof first - 1) == NULL) {
        session->status = FAILURE_MALFORMED;
        return OUTCOME_REFUSED;
    }
    return OUTCOME_DONE;
}

const struct dialect http_dialect = {"http", write_acquire, write_release, read_acquire, read_release};

// A request twice: what an acquire of a lock costs that somebody holds.
static size_t write_refused(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity,
        "POST /locks/held/acquire?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", session->query);
}

static enum outcome read_status(struct session *session, const char *in, size_t length, int wanted) {
    enum outcome outcome;
    const char *body = whole_answer(session, in, length, &outcome);
    return body != NULL && session->status == wanted ? OUTCOME_DONE : outcome;
}

static enum outcome read_refused(struct session *session, const char *in, size_t length) {
    return read_status(session, in, length, 423);
}

const struct dialect http_refused_dialect = {
    "http-refused", write_refused, write_refused, read_refused, read_refused};

static size_t write_several(struct session *session, char *out, size_t capacity) {
    char body[256];
    int length = snprintf(body, sizeof body, "{\"want\":[{\"key\":\"%s-a\"},{\"key\":\"%s-b\"},{\"key\":\"%s-c\"}]}",
        session->key, session->key, session->key);
    return (size_t)snprintf(out, capacity,
        "POST /leases?%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        session->query, length, body);
}

const struct dialect http_several_dialect = {
    "http-several", write_several, write_release, read_acquire, read_release};

// The variable of each connection, by the number behind the prefix, in a segment that there must be.
static const char *variable(const struct session *session) { return strrchr(session->key, '-') + 1; }

static size_t write_variable(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity,
        "PUT /shm/%s?segment=0x4c48 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 4\r\n\r\n1234", variable(session));
}

static size_t write_look(struct session *session, char *out, size_t capacity) {
    return (size_t)snprintf(out, capacity, "GET /shm/%s?segment=0x4c48 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        variable(session));
}

static enum outcome read_variable(struct session *session, const char *in, size_t length) {
    enum outcome outcome = read_status(session, in, length, 201);
    return outcome == OUTCOME_REFUSED ? read_status(session, in, length, 200) : outcome;
}

const struct dialect http_variable_dialect = {
    "http-variable", write_variable, write_look, read_variable, read_variable};
