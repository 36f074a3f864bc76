<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** The lock was still held when the time to wait was over. */
class WaitTimeout extends Locked
{
}
