#define _GNU_SOURCE
#include "csupervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int csupervise_exec(char *const argv[], char *const envp[]) {
    execvpe(argv[0], argv, envp);
    return errno;
}

// Handlers of the parent must not run here: they would write into its pipe.
static void forget_handlers(void) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
    }
}

int csupervise_spawn(char *const argv[], char *const envp[], int terminal, struct csupervise_guard *guard, pid_t *pid) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    sigset_t all, mask, none;
    sigfillset(&all);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t parent = getpid();
    // No copy is made of what is gone with exec; the thread waits until then. Handlers are each process's own.
    pid_t child = vfork();
    if (child == 0) {
        setpgid(0, 0);
        if (terminal >= 0) tcsetpgrp(terminal, getpid());
        forget_handlers();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(128 + SIGKILL);
        // Before exec, which closes the guard's pipe: a process that sees it closed sees the group.
        if (guard != NULL) csupervise_guard_group(guard, getpid());
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        int code = csupervise_exec(argv, envp);
        (void)!write(report[1], &code, sizeof code);
        _exit(127);
    }
    int failed = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    close(report[1]);
    if (child > 0) {
        setpgid(child, child);
        int code = 0;
        ssize_t count;
        while ((count = read(report[0], &code, sizeof code)) < 0 && errno == EINTR) {}
        if (count == sizeof code) {
            failed = code;
            if (guard != NULL) csupervise_guard_group(guard, 0);
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        }
        *pid = child;
    }
    close(report[0]);
    return failed;
}
