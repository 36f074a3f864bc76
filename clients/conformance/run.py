#!/usr/bin/env python3
"""Drives the client library of each language through the same faults, and prints what each did as a table.

    LEASEHOLD=.build/release/leasehold clients/conformance/run.py [NAME ...] [--markdown]

Each language has a driver: one executable file `clients/NAME/conformance_driver` (or `conformance_driver.py`, `.js`
..), a small program that uses the library as any program would. It is started anew for each case, with LEASEHOLD_URL
in its environment, and must be the process that holds the leases: a script that starts something else does so by
exec. It may first build what it needs; the first answer has 120 s, each other what the command says and 10 s.

It reads one JSON object a line from standard input, does that, and writes one JSON object a line to standard output,
in order, flushed; what goes to standard error is shown when a case fails. It ends when its input ends. Times are
seconds and may be fractions. Members it does not know are ignored; a command or an option that its library has not is
answered with the error `unsupported`, which the table shows as a dash.

    {"do":"hello"}              {"ok":true,"client":"python","keeps":["process","stream","renewal"]}
    {"do":"acquire","as":"a","key":"deploy","wait":10,"keep":"auto"}
                                {"ok":true,"fence":17,"ref":"9f86d08188","keep":"process"}
    {"do":"state","as":"a"}     {"ok":true,"held":true,"remaining":1.7,"reason":null}
    {"do":"check","as":"a"}     {"ok":true}, or the error lease-lost
    {"do":"wait_lost","as":"a","timeout":5}
                                {"ok":true,"lost":true,"reason":"ttl"}
    {"do":"renew","as":"a"}     {"ok":true}
    {"do":"release","as":"a"}   {"ok":true,"held":true}
    {"do":"sleep","seconds":1}  {"ok":true}

- `acquire`: `as` is the name of the lease in later commands. `key`, or `keys` (several locks on one lease). `wait` is
  in seconds, null waits without end. `keep` is auto, process, stream or renewal; renewal has a `ttl`. Optional:
  `shared` (true), `slots` and `count`, `max_hold`, `timeout` (of the client), and `cancel_after`: the program cancels
  the acquire itself after this time (AbortSignal, context, task), the error is then `canceled`. `keep` in the answer
  says how it is kept.
- `state` asks the library and nobody else: `held` is the opposite of *lost*, `remaining` what is left on its own
  clock (null without a deadline), `reason` why it was lost.
- `release`: `held` is what the library's release says (rule 29).
- An error is {"ok":false,"error":KIND,"code":CODE,"message":TEXT}. KIND is locked, wait-timeout, already-held,
  deadlock, lease-lost (with `reason`), denied, unavailable, kernel-limit, invalid (the table of errors in
  BEHAVIOUR.md), canceled, unsupported, or other.
- While a library's own watcher runs by the runtime's loop (Node, asyncio), the driver must not stand still between
  two commands: it waits for input as programs of its language do.
"""
