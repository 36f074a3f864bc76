#ifndef LEASEHOLD_CMICROHTTPD_SHIM_H
#define LEASEHOLD_CMICROHTTPD_SHIM_H
#include <microhttpd.h>

// The functions are here because Swift imports no variadic ones, and MHD_get_connection_info is.

/* The pointer that MHD_OPTION_NOTIFY_CONNECTION left on a connection, or NULL. */
static inline void *leasehold_mhd_socket_context(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The socket of a connection, or -1. */
static inline int leasehold_mhd_descriptor(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* The peer's address, which lives as long as the connection, or NULL. */
static inline const struct sockaddr *leasehold_mhd_peer_address(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

/* The size of a request's head, from its method to behind its empty line; 0 before it was read. */
static inline size_t leasehold_mhd_head_size(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

#endif
