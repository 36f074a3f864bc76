#include "csysv.h"
