<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** The request makes no sense to the service, or the lock is in use in another way; the message says what to do. */
class Invalid extends LeaseholdException
{
}
