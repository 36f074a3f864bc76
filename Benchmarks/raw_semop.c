// The floor: what the kernel alone takes, without any server.
//
// --mode pairs: one process, [slot -1, ledger +1] and its inverse, in turn.
// --mode handoff: two processes; from "about to release" in one to "has it" in the other.

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { pairs_per_batch = 1000 };

static struct {
    bool handoff;
    double seconds;
    uint64_t count, hold_ns;
} options = {.seconds = 1, .count = 1000000000, .hold_ns = 500000};

// What the two processes share.
struct shared {
    struct histogram histogram;
    uint64_t release_ns; // written and read by the holder only: the semaphore orders it
    int releaser;
    int failure;
};

static int set_id;

// Zero or an errno; waits at most a second.
static int operate(short units, short flags) {
    struct sembuf operations[2] = {
        {.sem_num = 0, .sem_op = units, .sem_flg = flags},
        {.sem_num = 1, .sem_op = (short)-units, .sem_flg = flags},
    };
    if ((flags & IPC_NOWAIT) != 0) { return semop(set_id, operations, 2) == 0 ? 0 : errno; }
    struct timespec limit = {.tv_sec = 1};
    return semtimedop(set_id, operations, 2, &limit) == 0 ? 0 : errno;
}

static void measure_pairs(struct shared *shared) {
    uint64_t start = now_ns(), end = start + (uint64_t)(options.seconds * 1e9), now = start, pairs = 0;
    while (now < end && pairs < options.count) {
        uint64_t batch = now;
        for (int i = 0; i < pairs_per_batch; i++) {
            if (operate(-1, IPC_NOWAIT) != 0 || operate(1, IPC_NOWAIT) != 0) {
                shared->failure = errno;
                return;
            }
        }
        now = now_ns();
        pairs += pairs_per_batch;
        histogram_add(&shared->histogram, (now - batch) / pairs_per_batch);
    }
    printf("{\"mode\":\"pairs\",\"pairs\":%llu,\"mean_ns\":%.0f,\"p50_ns\":%.0f,\"p99_ns\":%.0f}\n",
        (unsigned long long)pairs, (double)(now - start) / (double)pairs,
        1000 * histogram_us(&shared->histogram, 0.50), 1000 * histogram_us(&shared->histogram, 0.99));
}

static void take_turns(struct shared *shared, int self, uint64_t end_ns) {
    while (now_ns() < end_ns && shared->failure == 0 && shared->histogram.total < options.count) {
        int error = operate(-1, 0);
        uint64_t now = now_ns();
        if (error == EAGAIN || error == EINTR) { continue; } // the other one is done, or the clock says so
        if (error != 0) {
            shared->failure = error;
            return;
        }
        if (shared->releaser != 0 && shared->releaser != self) {
            histogram_add(&shared->histogram, now - shared->release_ns);
        }
        sleep_ns(options.hold_ns); // the other one falls asleep in its semop meanwhile
        shared->releaser = self;
        shared->release_ns = now_ns();
        operate(1, IPC_NOWAIT);
    }
}

static void measure_handoff(struct shared *shared) {
    uint64_t end_ns = now_ns() + (uint64_t)(options.seconds * 1e9);
    pid_t parent = getpid(), child = fork();
    if (child < 0) { die("fork: %s", strerror(errno)); }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) { take_turns(shared, 2, end_ns); }
        _exit(0);
    }
    take_turns(shared, 1, end_ns);
    waitpid(child, NULL, 0); // ends by itself: every wait of its loop is bounded
    printf("{\"mode\":\"handoff\",\"handovers\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"max_us\":%.1f}\n",
        (unsigned long long)shared->histogram.total, histogram_us(&shared->histogram, 0.50),
        histogram_us(&shared->histogram, 0.99), histogram_us(&shared->histogram, 0.999),
        (double)shared->histogram.max_ns / 1000);
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"mode", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'n'}, {"hold-us", required_argument, NULL, 'o'}, {0},
    };
    for (int flag; (flag = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (flag) {
        case 'm': options.handoff = strcmp(optarg, "handoff") == 0; break;
        case 's': options.seconds = strtod(optarg, NULL); break;
        case 'n': options.count = parse_number("count", optarg, 1, 1000000000000); break;
        case 'o': options.hold_ns = 1000 * parse_number("hold-us", optarg, 0, 1000000); break;
        default: die("usage: raw_semop --mode pairs|handoff [--seconds S] [--count N] [--hold-us N]");
        }
    }
    if (!(options.seconds > 0 && options.seconds <= 3600)) { die("--seconds is more than 0 and at most 3600"); }
}

int main(int argc, char **argv) {
    parse_options(argc, argv);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) { die("mmap: %s", strerror(errno)); }
    set_id = semget(IPC_PRIVATE, 2, 0600);
    if (set_id < 0) { die("semget: %s", strerror(errno)); }
    struct sembuf fill = {.sem_num = 0, .sem_op = 1};
    semop(set_id, &fill, 1);
    if (options.handoff) {
        measure_handoff(shared);
    } else {
        measure_pairs(shared);
    }
    semctl(set_id, 0, IPC_RMID);
    if (shared->failure != 0) { die("semop: %s", strerror(shared->failure)); }
    return shared->histogram.total > 0 ? 0 : 1;
}
