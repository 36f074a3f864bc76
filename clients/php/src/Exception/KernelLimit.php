<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** A limit of the kernel or of the service is reached. */
class KernelLimit extends LeaseholdException
{
}
