#ifndef LEASEHOLD_CMICROHTTPD_SHIM_H
#define LEASEHOLD_CMICROHTTPD_SHIM_H
#include <microhttpd.h>
#endif
