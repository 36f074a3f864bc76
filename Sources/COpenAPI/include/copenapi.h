#ifndef LEASEHOLD_COPENAPI_H
#define LEASEHOLD_COPENAPI_H

#include <stddef.h>

/* openapi.yaml as the repository has it. In C because #embed costs the compiler nothing, where an array literal of
   Swift costs it minutes. */
const unsigned char *leasehold_openapi(void);
size_t leasehold_openapi_size(void);

/* The same for people: what Tools/http_reference.py makes of it. */
const unsigned char *leasehold_reference(void);
size_t leasehold_reference_size(void);

#endif
