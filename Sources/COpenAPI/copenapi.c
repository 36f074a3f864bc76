#include "copenapi.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char document[] = {
#embed "openapi.yaml"
};

const unsigned char *leasehold_openapi(void) { return document; }

size_t leasehold_openapi_size(void) { return sizeof document; }
