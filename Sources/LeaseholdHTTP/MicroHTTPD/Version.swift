import CMicroHTTPD

/// The version of the libmicrohttpd that runs, which may be newer than the one compiled against.
///
/// The corresponding C function is `MHD_get_version`.
func libmicrohttpdVersion() -> String { String(cString: MHD_get_version()) }
