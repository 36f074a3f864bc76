// What the measuring programs share: time, histograms, sockets.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// 64 steps per power of two: a quantile is at most 1.6 % above the sample it stands for, whatever the size.
enum { HISTOGRAM_STEPS = 64, HISTOGRAM_POWERS = 40, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * HISTOGRAM_POWERS };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t max_ns;
};

struct endpoint {
    const char *host; // IPv4 address; ignored when unix_path is set
    int port;
    const char *unix_path;
    int sources; // so many source addresses 127.0.0.1, .2, ...: more than one client's worth of ephemeral ports
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);

// CPU time of this process, user and system.
uint64_t cpu_ns(void);

void sleep_ns(uint64_t ns);

void histogram_add(struct histogram *histogram, uint64_t ns);

// Microseconds at the quantile 0..1, 0 when there are no samples.
double histogram_us(const struct histogram *histogram, double quantile);

// A connected, non-blocking socket. Dies when the peer is not there: nothing can be measured then.
int endpoint_connect(const struct endpoint *endpoint, unsigned index);

// False when the socket did not take all of it: answers and requests here are smaller than any socket buffer.
bool send_all(int fd, const char *bytes, size_t length);

// Raises the descriptor limit to its hard limit.
void raise_descriptor_limit(void);

// A number of a command line flag, or death with the flag's name.
unsigned long parse_number(const char *flag, const char *text, unsigned long minimum, unsigned long maximum);

// Not for secrets: these ids only have to differ.
uint64_t cheap_random(uint64_t *state);
