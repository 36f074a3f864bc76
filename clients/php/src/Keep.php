<?php

declare(strict_types=1);

namespace Leasehold;

/** How a lease is kept. */
enum Keep: string
{
    /** Renewal where there is a ttl; else the process on the command line, over a Unix socket; else the stream. */
    case Auto = 'auto';
    /** As long as this process lives; no clock ends it. Only over a Unix socket. */
    case Process = 'process';
    /** As long as anything runs in this process's cgroup, such as its systemd unit. Only over a Unix socket. */
    case Cgroup = 'cgroup';
    /** As long as a connection of its own is open: until it is released, or the request or the process ends. */
    case Stream = 'stream';
    /** For a ttl; `Lease::check` and `Lease::renew` give it another. */
    case Renewal = 'renewal';
}
