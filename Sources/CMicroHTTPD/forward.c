#include "lazy.h"
#include "shim.h"

#define FORWARD(result, name, parameters, arguments) \
    LEASEHOLD_LAZY("libmicrohttpd.so.12", result, name, parameters, arguments)

FORWARD(const char *, MHD_get_version, (void), ())
FORWARD(const char *, MHD_get_reason_phrase_for, (unsigned int code), (code))
FORWARD(struct MHD_Daemon *, MHD_start_daemon_va,
        (unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback accept, void *accept_context,
         MHD_AccessHandlerCallback handler, void *context, va_list options),
        (flags, port, accept, accept_context, handler, context, options))
FORWARD(MHD_socket, MHD_quiesce_daemon, (struct MHD_Daemon *daemon), (daemon))
FORWARD(void, MHD_stop_daemon, (struct MHD_Daemon *daemon), (daemon))
FORWARD(int, MHD_get_connection_values_n,
        (struct MHD_Connection *connection, enum MHD_ValueKind kind, MHD_KeyValueIteratorN body, void *context),
        (connection, kind, body, context))
// None of the facts that are asked for has an argument of its own.
FORWARD(const union MHD_ConnectionInfo *, MHD_get_connection_info,
        (struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...), (connection, type))
FORWARD(void, MHD_suspend_connection, (struct MHD_Connection *connection), (connection))
FORWARD(void, MHD_resume_connection, (struct MHD_Connection *connection), (connection))
FORWARD(enum MHD_Result, MHD_queue_response,
        (struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response),
        (connection, status, response))
FORWARD(struct MHD_Response *, MHD_create_response_from_buffer,
        (size_t size, void *buffer, enum MHD_ResponseMemoryMode mode), (size, buffer, mode))
FORWARD(struct MHD_Response *, MHD_create_response_from_callback,
        (uint64_t size, size_t block, MHD_ContentReaderCallback reader, void *context,
         MHD_ContentReaderFreeCallback end),
        (size, block, reader, context, end))
FORWARD(void, MHD_destroy_response, (struct MHD_Response *response), (response))
FORWARD(enum MHD_Result, MHD_add_response_header,
        (struct MHD_Response *response, const char *name, const char *value), (response, name, value))
