#include "cdashboard.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char page[] = {
#embed "page.html"
};

static const unsigned char style[] = {
#embed "style.css"
};

/* One module: each file sees what those before it declare. */
static const unsigned char script[] = {
#embed "service.js"
    ,
#embed "list.js"
    ,
#embed "lock.js"
    ,
#embed "activity.js"
    ,
#embed "kernel.js"
    ,
#embed "main.js"
};

struct leasehold_text leasehold_dashboard_page(void) { return (struct leasehold_text){page, sizeof page}; }

struct leasehold_text leasehold_dashboard_style(void) { return (struct leasehold_text){style, sizeof style}; }

struct leasehold_text leasehold_dashboard_script(void) { return (struct leasehold_text){script, sizeof script}; }
