#define _GNU_SOURCE
#include "csupervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int pipe_end = -1;

static void caught(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    // A full pipe means that nobody reads: then one signal more tells nothing new.
    while (write(pipe_end, &byte, 1) < 0 && errno == EINTR) {}
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

static struct {
    int input, output;
    struct termios before;
    const char *text;
    size_t length;
} screen;

static void give_screen_back(int number) {
    if (screen.input >= 0) tcsetattr(screen.input, TCSANOW, &screen.before);
    (void)!write(screen.output, screen.text, screen.length);
    // The signal is blocked in its handler, and its default action is back: it ends us on the way out.
    raise(number);
}

void csupervise_keep_screen(int input, const struct termios *before, int output, const char *text) {
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGTERM, SIGPIPE};
    screen.input = input;
    screen.output = output;
    screen.before = *before;
    screen.length = strlen(text);
    screen.text = strdup(text);
    for (size_t index = 0; index < sizeof ending / sizeof *ending; index++) {
        struct sigaction old, action = {.sa_handler = give_screen_back, .sa_flags = SA_RESETHAND};
        if (sigaction(ending[index], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ending[index], &action, NULL);
    }
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
