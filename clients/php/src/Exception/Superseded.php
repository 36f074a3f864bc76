<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** A newer request of its group (`newest`) waits: leave the work to that one. */
class Superseded extends LeaseholdException
{
}
