<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** The token, this user or the host's name may not do that; or the socket is not for this user. */
class Denied extends LeaseholdException
{
}
