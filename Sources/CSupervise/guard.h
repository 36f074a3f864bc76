// What the guard and the process that it watches share: memory that both see, and what the guard does at the end.
#ifndef CSUPERVISE_GUARD_H
#define CSUPERVISE_GUARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct csupervise_program;

enum { addresses_max = 4 };

enum claim {
    claims_nothing, // nothing was asked for, or it has been given back
    claims_asked,   // a lease was asked for, and may be there: `ask` asks again, with the same Idempotency-Key
    claims_held,    // there is a lease: `release` gives it back
};

struct address {
    struct sockaddr_storage name;
    socklen_t length;
};

// Written by the watched process alone; the guard reads it when that one is dead, but for the deadline and the group.
struct shared {
    _Atomic int64_t deadline_ns;
    _Atomic int group; // 0 while there is no command
    _Atomic int claim;
    size_t room;
    size_t address_count, ask_count, release_count;
    struct address addresses[addresses_max];
    char text[]; // `ask` at 0, `release` at `room`
};

// Kills the group; returns whether all in it are dead, waited for or not.
int csupervise_group_is_dead(pid_t group);

// Gives back what may have been granted. Takes as long as the service is away, up to some seconds.
void csupervise_give_back(struct shared *shared, const struct csupervise_program *program);

#endif
