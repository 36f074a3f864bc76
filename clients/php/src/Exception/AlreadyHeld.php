<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** This program has the lock already, so waiting for it would never end: locks are not reentrant. */
class AlreadyHeld extends LeaseholdException
{
}
