#ifndef LEASEHOLD_CBUILD_H
#define LEASEHOLD_CBUILD_H

/* What was built: the version, the whole commit, the instant in RFC 3339. Empty where it is not known.

   In C, and alone in its target, because the version is another one with each commit: one small file is compiled for
   that, and nothing that imports this. */
const char *leasehold_build_version(void);
const char *leasehold_build_commit(void);
const char *leasehold_build_instant(void);

#endif
