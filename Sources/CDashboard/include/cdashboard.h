#ifndef LEASEHOLD_CDASHBOARD_H
#define LEASEHOLD_CDASHBOARD_H

#include <stddef.h>

/* The parts of the dashboard as the folder has them; see COpenAPI for why this is C. */
struct leasehold_text {
  const unsigned char *bytes;
  size_t size;
};

/* The page around the rest, with the marks @STYLE@, @LOCKS@ and @SCRIPT@. */
struct leasehold_text leasehold_dashboard_page(void);
struct leasehold_text leasehold_dashboard_style(void);
struct leasehold_text leasehold_dashboard_script(void);

#endif
