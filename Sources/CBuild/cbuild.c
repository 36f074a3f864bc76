#include "cbuild.h"

#if __has_include("build.h")
#include "build.h" /* Tools/version writes it */
#else
#define LEASEHOLD_VERSION "0.2.0-dev" /* as VERSION has it: Tools/project.py */
#define LEASEHOLD_COMMIT ""
#define LEASEHOLD_INSTANT ""
#endif

const char *leasehold_build_version(void) { return LEASEHOLD_VERSION; }

const char *leasehold_build_commit(void) { return LEASEHOLD_COMMIT; }

const char *leasehold_build_instant(void) { return LEASEHOLD_INSTANT; }
