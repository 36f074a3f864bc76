"""Which functions can be made to fail and with what: the errnos that the man pages name.

Left out of every row: EFAULT, EBADF, ENOTSOCK, ENOTTY and EINVAL where they mean a wrong argument of ours, what a man
page names for other kinds of files or sockets, and what says something of the world that is not so: that a process is
gone (ECHILD, ESRCH), that a value is too small or too large (E2BIG, EAGAIN, EFBIG, ERANGE of semop; the tests of
drift make that true), that a socket is full or empty (EAGAIN: the next edge of epoll comes only if it is). EIDRM stays,
because faults.c makes it true.
"""

import re
import subprocess

# How a function says that it failed.
MINUS_ONE, NULL, CODE, NOTHING_DONE = "minus_one", "null", "code", "nothing_done"
HALVED = 10000  # not an errno: half of what was asked for is written or read
HALVED_NAME = "HALVED"

NO_MEMORY = "ENOMEM"
FILES = "EACCES ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSPC ENOTDIR EPERM EROFS EINTR EIO"
TLS_MEMORY = "GNUTLS_E_MEMORY_ERROR"
TLS_LINE = ("GNUTLS_E_INTERRUPTED GNUTLS_E_PULL_ERROR GNUTLS_E_PUSH_ERROR GNUTLS_E_UNEXPECTED_PACKET_LENGTH "
            "GNUTLS_E_INTERNAL_ERROR " + TLS_MEMORY)
TLS_NUMBERS = {
    "GNUTLS_E_UNSUPPORTED_VERSION_PACKET": -8, "GNUTLS_E_UNEXPECTED_PACKET_LENGTH": -9,
    "GNUTLS_E_FATAL_ALERT_RECEIVED": -12, "GNUTLS_E_NO_CIPHER_SUITES": -21, "GNUTLS_E_DECRYPTION_FAILED": -24,
    "GNUTLS_E_MEMORY_ERROR": -25, "GNUTLS_E_BASE64_DECODING_ERROR": -34, "GNUTLS_E_INVALID_REQUEST": -50,
    "GNUTLS_E_INTERRUPTED": -52, "GNUTLS_E_PUSH_ERROR": -53, "GNUTLS_E_PULL_ERROR": -54,
    "GNUTLS_E_INTERNAL_ERROR": -59, "GNUTLS_E_PREMATURE_TERMINATION": -110,
    "GNUTLS_E_NO_PRIORITIES_WERE_SET": -409,
}
LOOK_AT_FILES = "EACCES ELOOP ENOENT ENOMEM ENOTDIR"

# Name: the errnos, how it says so, and what must happen beside it to be true to the kernel (see faults.c).
CALLS = {
    # System V IPC. EIDRM removes what it says is removed; EINVAL of semop says the same, later.
    "semget": ("EACCES EEXIST ENOENT ENOMEM ENOSPC", MINUS_ONE),
    "semop": ("EACCES EIDRM EINTR ENOMEM", MINUS_ONE, "removes_set"),
    "semtimedop": ("EACCES EAGAIN EIDRM EINTR ENOMEM", MINUS_ONE, "removes_set"),
    "semctl": ("EACCES EIDRM ENOMEM EPERM", MINUS_ONE, "removes_set"),
    "shmget": ("EACCES EEXIST EINVAL ENFILE ENOENT ENOMEM ENOSPC EPERM", MINUS_ONE),
    "shmat": ("EACCES EIDRM EINVAL ENOMEM", MINUS_ONE, "removes_segment"),
    "shmctl": ("EACCES EIDRM ENOMEM EOVERFLOW EPERM", MINUS_ONE, "removes_segment"),
    "shmdt": ("EINVAL", MINUS_ONE),
    "ftok": (LOOK_AT_FILES, MINUS_ONE),
    # Sockets.
    "socket": ("EACCES EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM", MINUS_ONE),
    "bind": ("EACCES EADDRINUSE EADDRNOTAVAIL ENOMEM EROFS", MINUS_ONE),
    "listen": ("EADDRINUSE EOPNOTSUPP", MINUS_ONE),
    "connect": ("EACCES EAGAIN ECONNREFUSED EINTR ENETUNREACH ETIMEDOUT EPERM", MINUS_ONE),
    "recv": ("ECONNRESET EINTR ENOMEM ETIMEDOUT", MINUS_ONE),
    "sendto": ("EAGAIN ECONNREFUSED EINTR ENOBUFS ENOMEM EPIPE", MINUS_ONE),
    "shutdown": ("ENOTCONN", MINUS_ONE),
    "getsockname": ("ENOBUFS", MINUS_ONE),
    "getsockopt": ("ENOPROTOOPT ENOMEM", MINUS_ONE),
    "setsockopt": ("ENOPROTOOPT ENOMEM", MINUS_ONE),
    "socketpair": ("EMFILE ENFILE", MINUS_ONE),
    "getaddrinfo": ("EAI_MEMORY EAI_SYSTEM EAI_AGAIN", CODE),
    "getnameinfo": ("EAI_MEMORY EAI_OVERFLOW", CODE),
    # Waiting.
    "epoll_create1": ("EMFILE ENFILE ENOMEM", MINUS_ONE),
    # To take a descriptor out needs nothing that could be missing.
    "epoll_ctl": ("ENOMEM ENOSPC", MINUS_ONE, "when_adding"),
    "epoll_wait": ("EINTR", MINUS_ONE),
    "poll": ("EINTR ENOMEM", MINUS_ONE),
    "select": ("EINTR ENOMEM", MINUS_ONE),
    "eventfd": ("EMFILE ENFILE ENODEV ENOMEM", MINUS_ONE),
    "eventfd_read": ("EAGAIN EINTR", MINUS_ONE),
    "eventfd_write": ("EAGAIN EINTR", MINUS_ONE),
    # Files.
    "open": (FILES, MINUS_ONE),
    "openat": (FILES, MINUS_ONE),
    "opendir": (FILES, NULL),
    "fdopendir": (NO_MEMORY, NULL),
    "readdir": ("ENOENT", NULL),
    "read": ("EAGAIN EINTR EIO HALVED", MINUS_ONE),
    "pread": ("EINTR EIO HALVED", MINUS_ONE),
    "pread64": ("EINTR EIO", MINUS_ONE),
    # A pipe of our own that is not full, and whose reader lives, takes every byte.
    "write": ("EDQUOT EFBIG EINTR EIO ENOSPC EPERM HALVED", MINUS_ONE, "on_files"),
    "pwrite": ("EDQUOT EFBIG EINTR EIO ENOSPC EPERM", MINUS_ONE),
    "sendfile64": ("EAGAIN EIO ENOMEM", MINUS_ONE),
    "close": ("EDQUOT EINTR EIO ENOSPC", MINUS_ONE, "closes"),
    "close_range": ("EMFILE ENOMEM", MINUS_ONE),
    "fsync": ("EDQUOT EINTR EIO ENOSPC EROFS", MINUS_ONE),
    "lseek": ("EOVERFLOW ESPIPE", MINUS_ONE),
    "ftruncate": ("EFBIG EINTR EIO EPERM", MINUS_ONE),
    "renameat": ("EACCES EBUSY EDQUOT ENOENT ENOMEM ENOSPC EPERM EROFS", MINUS_ONE),
    "rename": ("EACCES EBUSY EDQUOT ENOENT ENOMEM ENOSPC EPERM EROFS", MINUS_ONE),
    "unlink": ("EACCES EBUSY EIO ENOENT ENOMEM EPERM EROFS", MINUS_ONE),
    "unlinkat": ("EACCES EBUSY EIO ENOENT ENOMEM EPERM EROFS", MINUS_ONE),
    "rmdir": ("EACCES EBUSY ENOENT ENOTEMPTY EROFS", MINUS_ONE),
    "mkdir": ("EACCES EDQUOT EEXIST ENOENT ENOSPC EROFS", MINUS_ONE),
    "access": ("EACCES EIO ENOENT ENOMEM EROFS", MINUS_ONE),
    "chmod": ("EACCES EIO ENOENT EPERM EROFS", MINUS_ONE),
    "utimensat": ("EACCES ELOOP ENOENT EPERM EROFS", MINUS_ONE),
    "getxattr": ("EACCES ENODATA ENOTSUP ENOENT ENOMEM", MINUS_ONE),
    "futimens": ("EACCES EPERM EROFS", MINUS_ONE),
    "stat": (LOOK_AT_FILES + " EOVERFLOW", MINUS_ONE),
    "lstat": (LOOK_AT_FILES + " EOVERFLOW", MINUS_ONE),
    "fstat": ("ENOMEM EOVERFLOW", MINUS_ONE),
    "fstatat": (LOOK_AT_FILES, MINUS_ONE),
    "fstatfs": ("EINTR EIO ENOMEM ENOSYS", MINUS_ONE),
    "readlink": (LOOK_AT_FILES + " EIO", MINUS_ONE),
    "readlinkat": (LOOK_AT_FILES + " EIO", MINUS_ONE),
    "realpath": (LOOK_AT_FILES + " EIO", NULL),
    "pipe": ("EMFILE ENFILE", MINUS_ONE),
    "pipe2": ("EMFILE ENFILE", MINUS_ONE),
    "dup": ("EMFILE", MINUS_ONE),
    "dup2": ("EBUSY EINTR EMFILE", MINUS_ONE),
    "dup3": ("EBUSY EINTR EMFILE", MINUS_ONE),
    "fcntl": ("EMFILE EINTR ENOLCK", MINUS_ONE),
    "ioctl": ("ENOTTY", MINUS_ONE),
    # Memory. A failing malloc of Swift's runtime is the end by design; faults.c leaves that alone.
    "mmap": ("EACCES EAGAIN ENFILE ENOMEM EPERM", MINUS_ONE),
    "munmap": (NO_MEMORY, MINUS_ONE),
    "madvise": ("EAGAIN EINVAL EIO ENOMEM", MINUS_ONE),
    "strdup": (NO_MEMORY, NULL),
    "getentropy": ("EIO ENOSYS", MINUS_ONE),
    # Threads and processes.
    "pthread_create": ("EAGAIN EPERM", CODE),
    "fork": ("EAGAIN ENOMEM ENOSYS", MINUS_ONE),
    "execve": ("E2BIG EACCES EIO ENOENT ENOEXEC ENOMEM", MINUS_ONE),
    "execvpe": ("E2BIG EACCES EIO ENOENT ENOEXEC ENOMEM", MINUS_ONE),
    "kill": ("EPERM", MINUS_ONE),
    "waitpid": ("EINTR", MINUS_ONE),
    "waitid": ("EINTR", MINUS_ONE),
    "prctl": ("EINVAL", MINUS_ONE),
    "setpgid": ("EACCES EPERM ESRCH", MINUS_ONE),
    "setsid": ("EPERM", MINUS_ONE),
    "getrlimit": ("EINVAL", MINUS_ONE),
    "setrlimit": ("EPERM", MINUS_ONE),
    "getrusage": ("EINVAL", MINUS_ONE),
    "sysconf": ("EINVAL", MINUS_ONE),
    # Terminals and users.
    "tcgetattr": ("ENOTTY", MINUS_ONE),
    "tcsetattr": ("EINTR ENOTTY", MINUS_ONE),
    "tcgetpgrp": ("ENOTTY", MINUS_ONE),
    "tcsetpgrp": ("ENOTTY EPERM", MINUS_ONE),
    "getpwuid": ("EINTR EIO EMFILE ENFILE ENOMEM", NULL),
    "getgrgid": ("EINTR EIO EMFILE ENFILE ENOMEM", NULL),
    "getgroups": ("EPERM", MINUS_ONE),
    "localtime": ("EOVERFLOW", NULL),
    # GnuTLS, which says it by a negative number. GNUTLS_E_AGAIN is left out as EAGAIN of a socket is.
    "gnutls_global_init": (TLS_MEMORY, CODE),
    "gnutls_init": (TLS_MEMORY, CODE),
    "gnutls_priority_init": (TLS_MEMORY + " GNUTLS_E_INVALID_REQUEST", CODE),
    "gnutls_priority_set": ("GNUTLS_E_NO_PRIORITIES_WERE_SET", CODE),
    "gnutls_credentials_set": (TLS_MEMORY, CODE),
    "gnutls_alpn_set_protocols": (TLS_MEMORY, CODE),
    "gnutls_certificate_allocate_credentials": (TLS_MEMORY, CODE),
    "gnutls_certificate_set_x509_key_mem": (TLS_MEMORY + " GNUTLS_E_BASE64_DECODING_ERROR", CODE),
    "gnutls_certificate_set_x509_key_mem2": (TLS_MEMORY + " GNUTLS_E_BASE64_DECODING_ERROR", CODE),
    "gnutls_handshake": (
        TLS_LINE + " GNUTLS_E_NO_CIPHER_SUITES GNUTLS_E_FATAL_ALERT_RECEIVED GNUTLS_E_UNSUPPORTED_VERSION_PACKET",
        CODE),
    "gnutls_record_recv": (TLS_LINE + " GNUTLS_E_PREMATURE_TERMINATION GNUTLS_E_DECRYPTION_FAILED", CODE),
    "gnutls_record_send": (TLS_LINE, CODE),
    "gnutls_bye": (TLS_LINE, CODE),
    "gnutls_hash_fast": (TLS_MEMORY, CODE),
}

MEMORY = {
    "malloc": ("(size_t size)", "(size)"),
    "calloc": ("(size_t number, size_t size)", "(number, size)"),
    "realloc": ("(void *old, size_t size)", "(old, size)"),
}

# By syscall(2): the Linux call.
NUMBERS = {
    "accept4": "EAGAIN ECONNABORTED EINTR EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTO ENETDOWN",
    "sendmsg": "ECONNRESET EINTR ENOBUFS ENOMEM EPIPE ETIMEDOUT",
    "sendto": "ECONNRESET EINTR ENOBUFS ENOMEM EPIPE ETIMEDOUT HALVED",  # what send(2) is on Linux
    "pidfd_open": "EMFILE ENFILE ENODEV ENOMEM ENOSYS",
    "pidfd_send_signal": "EPERM",
    "getdents64": "ENOENT EINTR",
    "openat2": "EACCES EAGAIN ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSPC ENOSYS ENOTDIR EPERM EROFS EXDEV",
    "setgroups": "ENOMEM EPERM",
}

# What is imported and never made to fail, and why. A name that begins with a pattern's text ends with "*".
EXCUSES = {
    "has no way to fail, or none but wrong arguments": """
        __cxa_finalize __errno_location __fdelt_chk __libc_start_main __stack_chk_fail __tls_get_addr clock_gettime
        explicit_bzero exit _exit abort free freeaddrinfo getegid geteuid getgid getuid getenv getpagesize getpgrp
        getpid getppid inet_ntop inet_pton isatty malloc_usable_size rewinddir closedir sigaddset sigemptyset sigfillset
        sigdelset clock_nanosleep
        sigprocmask sleep time timegm gmtime_r timespec_get umask usleep dlsym environ __environ _ITM_* __gmon_start__
        pthread_self pthread_sigmask pthread_setname_np pthread_kill pthread_join pthread_detach
        pthread_getspecific pthread_setspecific raise setfsgid setfsuid sigaction setenv unsetenv timespec_get""",
    "looks at the start for memory to give back, and does without": "fopen getline fclose",
    "computes": """
        atoi ceil floor rint round trunc memchr memcmp memcpy memmem memmove memset strcat strchr strcmp strcpy strlen
        strncmp strrchr strstr strtol strftime strerror strerrorname_np __xpg_strerror_r __memcpy_chk __snprintf_chk
        tdelete tfind tsearch *f *l *_r jn yn remquo lgamma_r""",
    "a lock or its attributes: fails by misuse alone": """
        pthread_attr_destroy pthread_attr_init pthread_attr_setstacksize pthread_cond_* pthread_condattr_*
        pthread_mutex_* pthread_mutexattr_* pthread_rwlock_* pthread_key_create sem_destroy sem_init sem_open
        sem_post sem_wait flockfile funlockfile""",
    "writes by way of stdio, which the sweep reaches as write(2) of the log and of answers": """
        fflush fwrite putc stdout stderr __fprintf_chk __vfprintf_chk""",
    "belongs to another library; what it calls itself is swept, or is its own affair": """
        MHD_* _Block_copy _Block_release _NSConcreteStackBlock swift_* _swift* __swift* _dispatch* dispatch_*
        $s* block_*""",
    "advice, and a look at what is loaded: neither has a failure to tell": """
dl_iterate_phdr malloc_trim""",
    "GnuTLS: frees, looks, or cannot fail": """
        gnutls_certificate_free_credentials gnutls_certificate_get_peers gnutls_certificate_server_set_request
        gnutls_certificate_set_dh_params gnutls_certificate_set_retrieve_function* gnutls_cipher_get gnutls_deinit
        gnutls_global_deinit gnutls_malloc gnutls_priority_deinit gnutls_protocol_get_version gnutls_error_is_fatal
        gnutls_psk_* gnutls_dh_params_* gnutls_record_check_pending gnutls_record_get_direction gnutls_session_get_ptr
        gnutls_session_set_ptr gnutls_session_set_verify_cert gnutls_strerror gnutls_transport_set_int2
        gnutls_alert_get gnutls_alert_get_name""",
    "GnuTLS of our commands, and of client certificates, which the service does not ask for": """
        gnutls_certificate_set_x509_system_trust gnutls_certificate_set_x509_trust_file
        gnutls_certificate_set_x509_trust_mem gnutls_server_name_set gnutls_session_get_verify_cert_status
        gnutls_set_default_priority_append gnutls_x509_crt_*""",
    "is ours or is told apart by its number: swept as syscall:*": "accept4 syscall send sendmsg",
    "the user's own service, started by a command: it says what failed, or goes without; Tests/Cli/test_own.py": """
        chdir flock""",
    "loads a library, or the program ends with a line that names it; words of an error": "dlopen dlerror gai_strerror",
    "the child shares the stack, so no function may stand in between": "vfork",
}

# Functions that are swept in one module and left alone in the other.
SPARED = {
    ("malloc", "program"): "Swift's own memory, by way of inlined code: a trap by design",
    ("calloc", "program"): "the same",
    ("realloc", "program"): "the buffer of an answer: a trap by design, as all of Swift's memory",
    ("write", "libmicrohttpd"): "wakes its threads by eventfd(2), which takes every write; sockets get send(2)",
    ("strdup", "program"): "the words of a command that is about to be started",
}

# The metrics that tell of a failure.
TELLING = (
    "leasehold_state_dir_failures_total", "leasehold_undo_failures_total", "leasehold_drift_total",
    "leasehold_sets_removed_total", "leasehold_suspect_slots", "leasehold_ledger_damaged_entries",
    "leasehold_log_lines_dropped_total", "leasehold_http_refused_connections_total",
    "leasehold_http_dropped_streams_total", "leasehold_event_subscribers_dropped_total",
    'leasehold_leases_ended_total{reason="undelivered"}', 'leasehold_leases_ended_total{reason="set_removed"}',
)

# A failure that lasts is told: in the log, by these metrics, or to who asked by a status or a code that is not usual,
# or by no answer at all. Some need not be told, whoever calls.
QUIET = {
    "is done again at once": "*/EINTR */GNUTLS_E_INTERRUPTED */HALVED",
    "the descriptor is closed all the same": "close",
    "the peer is gone before we knew it": "shutdown syscall:accept4/ECONNABORTED syscall:accept4/EPROTO",
    "there was nobody: the next one is accepted": "syscall:accept4/EAGAIN syscall:accept4/ENETDOWN",
    "libmicrohttpd sends what could not go out early": "syscall:sendto",
    "a wish: nothing is promised of it": "setsockopt prctl utimensat gnutls_alpn_set_protocols",
    "wakes a thread, which looks anyway": "read/EAGAIN read/EIO eventfd_read/EAGAIN eventfd_write/EAGAIN",
    "a header less; status and body are whole": "strdup",
    "is asked at getrandom(2), too": "getentropy",
    "a figure of /metrics less": "getrusage",
}

# Functions that nothing here calls, although the program imports them, and why.
UNREACHED = {
    "swift-system has it, and nobody calls it": """
        dup dup2 fdopendir fstatat ftruncate lseek mkdir munmap pread pwrite rmdir""",
    "swift-log has it for a handler that is not used": "localtime",
    "`doctor` and `top`, which hold nothing": "access getgrgid getpwuid opendir readdir tcgetattr",
    "only with a terminal; Tests/Cli/test_terminal.py": "tcgetpgrp tcsetpgrp tcsetattr",
    "only below a kernel with pidfds in pidfs (6.9)": "fstatfs",
    "only when not root; Tests/Live/test_socket_users.py": "getgroups",
    "SysV offers it, the program makes keys by itself": "ftok",
    "the guard gives back over TLS, by a command": "execve dup3 readlinkat",
    "sockets from systemd; Tests/Live/test_service_manager.py": "getnameinfo",
    "a name server is asked; Tests/LeaseholdClientTests": "socketpair",
    "only where a rename failed; what is left of it goes at the next start": "unlinkat",
    "only with --token-file; Tests/Live/test_tokens.py": "realpath gnutls_hash_fast",
    "only for a file of another user's; Tests/LeaseholdLocalTests/AccessListTests.swift": "getxattr",
    "only with a service of one's own; Tests/Cli/test_own.py": "rename",
}

TABLE = {
    **{name: row[0].split() for name, row in CALLS.items()},
    **{name: [NO_MEMORY] for name in MEMORY},
    **{f"syscall:{name}": errnos.split() for name, errnos in NUMBERS.items()},
}
NAMES = list(TABLE)


def inclusion():
    """The text of calls.inc, in the order of NAMES."""
    lines = [f"#ifndef {macro}\n#define {macro}(...)\n#endif" for macro in ("CALL", "MEMORY", "NUMBER")]
    for name, (_, kind, *effect) in CALLS.items():
        lines.append(f"CALL({name}, {kind}, {effect[0] if effect else 'none'})")
    lines += [f"MEMORY({name}, {parameters}, {words})" for name, (parameters, words) in MEMORY.items()]
    lines += [f"NUMBER({name})" for name in NUMBERS]
    return "\n".join(lines) + "\n#undef CALL\n#undef MEMORY\n#undef NUMBER\n"


def imports(path):
    """The undefined dynamic symbols of a program or a library."""
    text = subprocess.run(["nm", "-D", "--undefined-only", path], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.split()}


def libraries(program, *names):
    """Where the loader finds these libraries of a program, those too that it loads when it needs them."""
    known = subprocess.run(["ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    found = dict(reversed(re.findall(r"^\s*(lib(?:microhttpd|gnutls)\.so\.\d+) .* => (\S+)", known, re.M)))
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    found |= dict(re.findall(r"^\s*(\S+) => (\S+)", text, re.M))
    return [path for library, path in found.items() if library.startswith(names)]


def excuse(name):
    """Why a name is left out; None when nobody said."""
    for reason, words in EXCUSES.items():
        for word in words.split():
            pattern = re.escape(word).replace(r"\*", ".*")
            if re.fullmatch(pattern, name):
                return reason
    return None


def quiet(function, error):
    """Why nothing need be told; None when it must be."""
    names = {function, f"{function}/{error}", f"*/{error}"}
    return next((reason for reason, words in QUIET.items() if names & set(words.split())), None)


def unexplained(program):
    """What a program and its libraries import that is neither swept nor excused."""
    found = set()
    for path in [program, *libraries(program, "libmicrohttpd", "libswiftGlibc")]:
        found |= imports(path)
    return sorted(name for name in found if name not in TABLE and excuse(name) is None)


def unreached(program, called):
    """What a program imports, can be made to fail, and neither was called nor is excused."""
    imported = imports(program)
    excused = {name for words in UNREACHED.values() for name in words.split()}
    return sorted(name for name in NAMES if name in imported and name not in called | excused)
