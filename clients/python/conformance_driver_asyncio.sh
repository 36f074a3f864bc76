#!/bin/sh
# The same driver as a task of asyncio.
exec "$(dirname "$0")/conformance_driver.py" --asyncio
