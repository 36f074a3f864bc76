#define _GNU_SOURCE
#include "csupervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static int pipe_end = -1;

static void caught(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    // A full pipe means that nobody reads: then one signal more tells nothing new.
    (void)!write(pipe_end, &byte, 1);
    errno = saved;
}

int csupervise_catch(const int *signals, int count) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    pipe_end = ends[1];
    for (int index = 0; index < count; index++) {
        struct sigaction before, action = {.sa_handler = caught, .sa_flags = SA_RESTART};
        if (sigaction(signals[index], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[index], &action, NULL);
    }
    return ends[0];
}

void csupervise_stop_self(void) {
    struct sigaction before, action = {.sa_handler = SIG_DFL};
    sigset_t stop, mask;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &action, &before);
    kill(0, SIGTSTP);
    // It stays pending for threads that block it: take it here.
    pthread_sigmask(SIG_UNBLOCK, &stop, &mask);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGTSTP, &before, NULL);
}

int csupervise_give_terminal(int terminal, pid_t group) {
    sigset_t output, mask;
    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &output, &mask);
    int code = tcsetpgrp(terminal, group) == 0 ? 0 : errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return code;
}
