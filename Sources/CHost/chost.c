#define _GNU_SOURCE
#include "chost.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

int chost_epoll_create(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

int chost_epoll_add(int epoll, int descriptor, enum chost_interest interest, uint64_t token)
{
    static const uint32_t interests[] = {
        [CHOST_READING] = EPOLLIN, [CHOST_WRITING] = EPOLLOUT, [CHOST_HANGUP] = EPOLLRDHUP, [CHOST_CHANGES] = EPOLLPRI};
    uint32_t once = interest == CHOST_CHANGES ? 0 : EPOLLONESHOT;
    struct epoll_event event = {.events = interests[interest] | once, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int chost_epoll_remove(int epoll, int descriptor)
{
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

int chost_epoll_wait(int epoll, uint64_t *tokens, int tokens_max, int milliseconds)
{
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, tokens_max < 64 ? tokens_max : 64, milliseconds);
    for (int index = 0; index < count; index++) {
        tokens[index] = events[index].data.u64;
    }
    return count;
}

int chost_wakeup_create(int epoll)
{
    int wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (wakeup >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event) != 0) {
        int reason = errno;
        close(wakeup);
        errno = reason;
        return -1;
    }
    return wakeup;
}

void chost_wakeup_ring(int wakeup)
{
    eventfd_write(wakeup, 1);
}

void chost_wakeup_clear(int wakeup)
{
    eventfd_t value;
    eventfd_read(wakeup, &value);
}

void chost_name_thread(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static int has_written_code(const struct dl_phdr_info *object)
{
    for (int at = 0; at < object->dlpi_phnum; at++) {
        if (object->dlpi_phdr[at].p_type != PT_DYNAMIC)
            continue;
        for (const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[at].p_vaddr);
             entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
                return 1;
        return 0;
    }
    return 1; // nothing tells
}

static int forget_object(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size, (void)unused;
    if (has_written_code(object))
        return 0;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int at = 0; at < object->dlpi_phnum; at++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[at];
        if (part->p_type != PT_LOAD || part->p_flags & PF_W)
            continue;
        uintptr_t start = (object->dlpi_addr + part->p_vaddr) & -page;
        uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz + page - 1) & -page;
        madvise((void *)start, end - start, MADV_DONTNEED); // advice: a failure costs memory alone
    }
    return 0;
}

void chost_forget_start(void)
{
    malloc_trim(0);
    dl_iterate_phdr(forget_object, NULL);
}
