#include "lazy.h"
#include "shim.h"

#define FORWARD(result, name, parameters, arguments) \
    LEASEHOLD_LAZY("libgnutls.so.30", result, name, parameters, arguments)

FORWARD(int, gnutls_init, (gnutls_session_t *session, unsigned int flags), (session, flags))
FORWARD(void, gnutls_deinit, (gnutls_session_t session), (session))
FORWARD(int, gnutls_handshake, (gnutls_session_t session), (session))
FORWARD(int, gnutls_bye, (gnutls_session_t session, gnutls_close_request_t how), (session, how))
FORWARD(int, gnutls_error_is_fatal, (int error), (error))
FORWARD(const char *, gnutls_strerror, (int error), (error))
FORWARD(gnutls_alert_description_t, gnutls_alert_get, (gnutls_session_t session), (session))
FORWARD(const char *, gnutls_alert_get_name, (gnutls_alert_description_t alert), (alert))
FORWARD(int, gnutls_set_default_priority_append,
        (gnutls_session_t session, const char *more, const char **wrong, unsigned flags), (session, more, wrong, flags))
FORWARD(int, gnutls_server_name_set,
        (gnutls_session_t session, gnutls_server_name_type_t type, const void *name, size_t length),
        (session, type, name, length))
FORWARD(void, gnutls_transport_set_int2, (gnutls_session_t session, int input, int output), (session, input, output))
FORWARD(ssize_t, gnutls_record_recv, (gnutls_session_t session, void *data, size_t size), (session, data, size))
FORWARD(ssize_t, gnutls_record_send, (gnutls_session_t session, const void *data, size_t size), (session, data, size))
FORWARD(int, gnutls_record_get_direction, (gnutls_session_t session), (session))

FORWARD(int, gnutls_credentials_set,
        (gnutls_session_t session, gnutls_credentials_type_t type, void *credentials), (session, type, credentials))
FORWARD(int, gnutls_certificate_allocate_credentials, (gnutls_certificate_credentials_t *made), (made))
FORWARD(void, gnutls_certificate_free_credentials, (gnutls_certificate_credentials_t credentials), (credentials))
FORWARD(int, gnutls_certificate_set_x509_system_trust, (gnutls_certificate_credentials_t credentials), (credentials))
FORWARD(int, gnutls_certificate_set_x509_trust_file,
        (gnutls_certificate_credentials_t credentials, const char *file, gnutls_x509_crt_fmt_t type),
        (credentials, file, type))
FORWARD(int, gnutls_certificate_set_x509_key_mem,
        (gnutls_certificate_credentials_t credentials, const gnutls_datum_t *certificate, const gnutls_datum_t *key,
         gnutls_x509_crt_fmt_t type),
        (credentials, certificate, key, type))
FORWARD(int, gnutls_certificate_set_x509_key_file,
        (gnutls_certificate_credentials_t credentials, const char *certificate, const char *key,
         gnutls_x509_crt_fmt_t type),
        (credentials, certificate, key, type))
FORWARD(const gnutls_datum_t *, gnutls_certificate_get_peers, (gnutls_session_t session, unsigned int *count),
        (session, count))
FORWARD(void, gnutls_session_set_verify_cert, (gnutls_session_t session, const char *host, unsigned flags),
        (session, host, flags))
FORWARD(unsigned int, gnutls_session_get_verify_cert_status, (gnutls_session_t session), (session))

FORWARD(int, gnutls_x509_crt_init, (gnutls_x509_crt_t *made), (made))
FORWARD(void, gnutls_x509_crt_deinit, (gnutls_x509_crt_t certificate), (certificate))
FORWARD(int, gnutls_x509_crt_import,
        (gnutls_x509_crt_t certificate, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format),
        (certificate, data, format))
FORWARD(int, gnutls_x509_crt_get_subject_alt_name,
        (gnutls_x509_crt_t certificate, unsigned int index, void *name, size_t *size, unsigned int *critical),
        (certificate, index, name, size, critical))

FORWARD(int, gnutls_hash_fast,
        (gnutls_digest_algorithm_t algorithm, const void *text, size_t length, void *digest),
        (algorithm, text, length, digest))
