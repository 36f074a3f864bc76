#include "copenapi.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char document[] = {
#embed "openapi.yaml"
};

static const unsigned char reference[] = {
#embed "reference.html"
};

const unsigned char *leasehold_openapi(void) { return document; }

size_t leasehold_openapi_size(void) { return sizeof document; }

const unsigned char *leasehold_reference(void) { return reference; }

size_t leasehold_reference_size(void) { return sizeof reference; }
