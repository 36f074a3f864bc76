// The locks of the yardstick: a name is a slot, a slot is two semaphores. No leases, no clock, no queue.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLOTS_PER_SET = 64, SEMAPHORES_PER_SET = 2 * SLOTS_PER_SET, LEASE_ID_LENGTH = 32, KEY_LENGTH_MAX = 63 };

struct slot {
    char key[KEY_LENGTH_MAX + 1];
    int set_id;
    unsigned short semaphore; // the slot's; its ledger is the next one
};

// Makes the private sets, all slots free. Dies when the kernel refuses.
void slots_open(unsigned count);

// Removes the sets. Safe to call once, from any thread.
void slots_close(void);

// The slot of the key, made at its first use. NULL when all slots have a name or the key is not [A-Za-z0-9._-]{1,63}.
const struct slot *slot_of_key(const char *key, size_t length, unsigned *index);

// The slot that a lease id names, or NULL.
const struct slot *slot_of_lease(const char *lease, unsigned *index);

// [slot -1, ledger +1] and its inverse as one step, without waiting. Zero or an errno.
int slot_take(const struct slot *slot);
int slot_give_back(const struct slot *slot);

// Eight hex digits of the slot's index and 24 random ones: what stands in for book-keeping. `out` takes 33 bytes.
void lease_id_make(unsigned index, char *out);

// So many random hex digits from the calling thread's pool, and a NUL.
void random_hex(char *out, size_t digits);
