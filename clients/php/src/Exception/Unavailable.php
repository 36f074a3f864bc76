<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** The service did not answer, or not in time, or has no room for another. */
class Unavailable extends LeaseholdException
{
    /**
     * @internal
     * @param bool $mayHaveArrived whether the service may have done what was asked
     */
    public static function unanswered(string $message, string $code, bool $mayHaveArrived): self
    {
        $error = new self($message, $code);
        $error->mayHaveArrived = $mayHaveArrived;
        return $error;
    }

    /** @internal */
    public bool $mayHaveArrived = false;
}
