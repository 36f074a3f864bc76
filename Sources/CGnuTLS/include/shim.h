#ifndef LEASEHOLD_CGNUTLS_SHIM_H
#define LEASEHOLD_CGNUTLS_SHIM_H
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#endif
