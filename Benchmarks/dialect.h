// How a client says "acquire" and "release", and what it makes of the answers.

#pragma once

#include <stddef.h>
#include <stdint.h>

// What a failed request is counted under, below the HTTP status codes.
enum failure { FAILURE_CLOSED = 1, FAILURE_STALLED, FAILURE_MALFORMED, FAILURE_REDIS_NIL, FAILURE_REDIS_ERROR };

enum outcome {
    OUTCOME_INCOMPLETE, // read on
    OUTCOME_DONE,       // exactly the answer that the request deserves
    OUTCOME_BUSY,       // Redis: SET NX says that somebody else has it
    OUTCOME_REFUSED,    // anything else; session.status says what
};

struct session {
    char key[64];
    const char *query; // HTTP: what follows `acquire?`
    char token[64];    // the lease id, or the token that this client made up
    uint64_t random;
    int status;
    size_t answer_bytes; // size of the last whole answer, headers included
};

struct dialect {
    const char *name;
    size_t (*write_acquire)(struct session *session, char *out, size_t capacity);
    size_t (*write_release)(struct session *session, char *out, size_t capacity);
    enum outcome (*read_acquire)(struct session *session, const char *in, size_t length);
    enum outcome (*read_release)(struct session *session, const char *in, size_t length);
};

extern const struct dialect http_dialect;          // POST /locks/KEY/acquire, DELETE /leases/ID
extern const struct dialect http_refused_dialect;  // POST /locks/held/acquire, twice
extern const struct dialect http_several_dialect;  // POST /leases with three locks, DELETE /leases/ID
extern const struct dialect http_variable_dialect; // PUT /shm/N, GET /shm/N
extern const struct dialect redis_set_dialect;  // SET KEY TOKEN NX PX 30000, compare-and-delete by EVALSHA
extern const struct dialect redis_list_dialect; // BLPOP KEY, LPUSH KEY TOKEN

struct endpoint;

// Loads the compare-and-delete script; before the first use of redis_set_dialect.
void redis_prepare(const struct endpoint *endpoint);

// Removes the key and, when a token is given, puts it as the only element of a list.
void redis_reset(const struct endpoint *endpoint, const char *key, const char *token);

const struct dialect *dialect_named(const char *name);
