#define _GNU_SOURCE
#include "csupervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void default_signals(void) {
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Closes all but standard input, output and error.
static void close_rest(void) {
    if (syscall(SYS_close_range, 3, ~0U, 0) == 0) return;
    struct rlimit limit;
    int last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
    for (int fd = 3; fd < last; fd++) close(fd);
}

// Never returns: becomes the program.
static void serve(char *const argv[], char *const envp[], rlim_t log_max) {
    // A file that is full is an error of write(2), and no end of the process.
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){log_max, log_max});
    umask(077);
    if (chdir("/") == 0) execve("/proc/self/exe", argv, envp);
    _exit(126);
}

// Never returns: ends with the status of the program, or once nobody is at the other end of the pipe.
static void stand_by(pid_t program, int end) {
    int status;
    for (;;) {
        if (waitpid(program, &status, WNOHANG) == program)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        struct pollfd entry = {.fd = end};
        if (poll(&entry, 1, 2) > 0) _exit(0);
    }
}

pid_t csupervise_detach(char *const argv[], char *const envp[], int log, size_t log_max) {
    // Kept open until this process ends.
    int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        close(null);
        return -1;
    }
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t helper = fork();
    if (helper == 0) {
        default_signals();
        setsid();
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        pid_t program = fork();
        if (program == 0) {
            dup2(null, STDIN_FILENO);
            close_rest();
            serve(argv, envp, log_max);
        }
        // The end of the pipe stands where it is not closed with the rest.
        dup2(ends[0], STDIN_FILENO);
        close_rest();
        if (program < 0) _exit(71);
        stand_by(program, STDIN_FILENO);
    }
    int failed = errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    close(ends[0]);
    close(null);
    if (helper < 0) close(ends[1]);
    errno = failed;
    return helper;
}
