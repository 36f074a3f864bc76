#define _GNU_SOURCE
#include "plain_slots.h"

#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>

static struct slot *slots;
static unsigned slot_count, slots_named;
// Open addressing over slot index + 1, twice as large as there are slots; names are never removed.
static unsigned *table;
static unsigned table_mask;
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;

static int make_set(void) {
    int id = semget(IPC_PRIVATE, SEMAPHORES_PER_SET, 0600);
    if (id < 0) { die("semget: %s", strerror(errno)); }
    unsigned short values[SEMAPHORES_PER_SET];
    for (int i = 0; i < SEMAPHORES_PER_SET; i++) { values[i] = i % 2 == 0; }
    union { int val; unsigned short *array; } argument = {.array = values};
    if (semctl(id, 0, SETALL, argument) != 0) { die("semctl SETALL: %s", strerror(errno)); }
    return id;
}

void slots_open(unsigned count) {
    slots = calloc(count, sizeof *slots);
    unsigned table_size = 2;
    while (table_size < 2 * count) { table_size *= 2; }
    table = calloc(table_size, sizeof *table);
    if (slots == NULL || table == NULL) { die("no memory for %u slots", count); }
    table_mask = table_size - 1;
    slot_count = count;
    int set_id = -1;
    for (unsigned i = 0; i < count; i++) {
        if (i % SLOTS_PER_SET == 0) { set_id = make_set(); }
        slots[i].set_id = set_id;
        slots[i].semaphore = (unsigned short)(2 * (i % SLOTS_PER_SET));
    }
}

void slots_close(void) {
    for (unsigned i = 0; i < slot_count; i += SLOTS_PER_SET) { semctl(slots[i].set_id, 0, IPC_RMID); }
}

// FNV-1a; zero for a key that could not go into JSON and URLs as it is.
static uint32_t hash_of(const char *key, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)key[i];
        bool plain = (c | 32u) - 'a' < 26u || c - (unsigned)'0' < 10u || c == '-' || c == '.' || c == '_';
        if (!plain) { return 0; }
        hash = (hash ^ c) * 16777619u;
    }
    return hash == 0 ? 1 : hash;
}

const struct slot *slot_of_key(const char *key, size_t length, unsigned *index) {
    if (length == 0 || length > KEY_LENGTH_MAX) { return NULL; }
    uint32_t hash = hash_of(key, length);
    if (hash == 0) { return NULL; }
    const struct slot *found = NULL;
    pthread_mutex_lock(&table_mutex);
    for (unsigned probe = 0; probe <= table_mask; probe++) {
        unsigned *entry = &table[(hash + probe) & table_mask];
        if (*entry == 0 && slots_named == slot_count) { break; }
        if (*entry == 0) {
            memcpy(slots[slots_named].key, key, length);
            *entry = ++slots_named;
        }
        struct slot *slot = &slots[*entry - 1];
        if (memcmp(slot->key, key, length) == 0 && slot->key[length] == '\0') {
            *index = *entry - 1;
            found = slot;
            break;
        }
    }
    pthread_mutex_unlock(&table_mutex);
    return found;
}

const struct slot *slot_of_lease(const char *lease, unsigned *index) {
    if (strlen(lease) != LEASE_ID_LENGTH) { return NULL; }
    unsigned value = 0;
    for (int i = 0; i < 8; i++) {
        unsigned digit = (unsigned char)lease[i];
        digit = digit - '0' < 10u ? digit - '0' : digit - 'a' + 10u;
        if (digit > 15) { return NULL; }
        value = value * 16 + digit;
    }
    if (value >= slot_count) { return NULL; }
    *index = value;
    return &slots[value];
}

static int operate(const struct slot *slot, short units) {
    struct sembuf operations[2] = {
        {.sem_num = slot->semaphore, .sem_op = units, .sem_flg = IPC_NOWAIT},
        {.sem_num = (unsigned short)(slot->semaphore + 1), .sem_op = (short)-units, .sem_flg = IPC_NOWAIT},
    };
    return semop(slot->set_id, operations, 2) == 0 ? 0 : errno;
}

int slot_take(const struct slot *slot) { return operate(slot, -1); }

int slot_give_back(const struct slot *slot) { return operate(slot, 1); }

void random_hex(char *out, size_t digits) {
    static const char alphabet[] = "0123456789abcdef";
    static __thread unsigned char pool[4096];
    static __thread size_t used = sizeof pool;
    for (size_t i = 0; i < digits; i += 2) {
        if (used == sizeof pool) {
            if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool) { die("getrandom: %s", strerror(errno)); }
            used = 0;
        }
        unsigned char byte = pool[used++];
        out[i] = alphabet[byte >> 4];
        out[i + 1] = alphabet[byte & 15];
    }
    out[digits] = '\0';
}

void lease_id_make(unsigned index, char *out) {
    static const char alphabet[] = "0123456789abcdef";
    for (int i = 0; i < 8; i++) { out[i] = alphabet[index >> (28 - 4 * i) & 15]; }
    random_hex(out + 8, LEASE_ID_LENGTH - 8);
}
